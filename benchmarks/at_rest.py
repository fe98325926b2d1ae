"""Measure what sealing, marking and checking cost per message, on one core.

Run as `scripts/bench at_rest`. The first rows are a function each; the last ones
are whole appends through the store, as one process issues them, with and without a key.
"""

import asyncio
import secrets
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

from cryptography.fernet import Fernet
from tests.support.valkey import ValkeyServer

from isshoni.backend.security.vault import Vault
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import Entry, SessionStore
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.sealed_store import SealedStore
from isshoni.session.messages import ChatEnvelope, Position, encode_envelope, event_frame
from isshoni.session.recovery import EventTail, LogMac

ENVELOPE = encode_envelope(ChatEnvelope("c-7f3a1b2c3d4e5f60", 13, "x" * 60, 1763850000123))
CALLS, ROUNDS = 1_000, 30
WINDOW = 64


def measure_us(call: Callable[[], object]) -> float:
    """Return the least microseconds of a call: other programs share the machine."""
    rounds = timeit.repeat(call, timer=process_time, number=CALLS, repeat=ROUNDS)
    return min(rounds) / CALLS * 1e6


def measure_functions() -> None:
    """Print what each step that a guarantee added costs."""
    vault, macs, tail = Vault([Fernet.generate_key().decode()]), LogMac("s" * 32), EventTail()
    sealed, plain = vault.seal(ENVELOPE), Vault()
    entry, mac = Entry(44, ENVELOPE), macs.sign("team", "9c1f00aa", 44, ENVELOPE)
    event = event_frame(44, ENVELOPE, mac)
    rows: list[tuple[str, Callable[[], object]]] = [
        ("seal (writer, once an entry)", lambda: vault.seal(ENVELOPE)),
        ("seal and open what this process wrote", lambda: vault.open(vault.seal(ENVELOPE))),
        ("open (every other process, once an entry)", lambda: vault.open(sealed)),
        ("open without a key", lambda: plain.open(ENVELOPE)),
        ("check of the envelope's version", lambda: find_envelope_fault(entry)),
        ("MAC (each process, once an entry)", lambda: macs.sign("team", "9c1f", 44, ENVELOPE)),
        ("event frame with MAC", lambda: event_frame(44, ENVELOPE, mac)),
        ("event frame without", lambda: event_frame(44, ENVELOPE)),
        ("verify (only in a recovery)", lambda: macs.verify("team", "9c1f00aa", event)),
        ("client's tail", lambda: tail.add("9c1f", 44, event)),
    ]
    for name, call in rows:
        print(f"{name:<46}{measure_us(call):8.2f} µs")
    print(f"{'an envelope in Redis':<46}{len(ENVELOPE):>5} B, sealed {len(sealed)} B")
    print(f"{'an event on the wire':<46}{len(event):>5} B, {len(event) - len(ENVELOPE)} B over it")


async def measure_appends(store: SessionStore, session_id: str, *, known: bool) -> float:
    """Return the microseconds of CPU of this process for an append, with 64 at a time."""
    head = await store.open_session(session_id)
    began, cpu, number = perf_counter(), process_time(), 0
    while perf_counter() - began < 2.0:
        position = Position(head.epoch, number) if known else None
        await asyncio.gather(
            *(
                store.append_chat(session_id, "c", number + i + 1, ENVELOPE, known=position)
                for i in range(WINDOW)
            )
        )
        number += WINDOW
    return (process_time() - cpu) / number * 1e6


async def main() -> None:
    """Run all measurements."""
    measure_functions()
    with tempfile.TemporaryDirectory() as directory:
        with ValkeyServer(Path(directory), fsync="everysec") as valkey:
            redis = RedisStore(valkey.url)
            await redis.start()
            sealed = SealedStore(redis, Vault([Fernet.generate_key().decode()]))
            rows: list[tuple[str, SessionStore, bool]] = [
                ("append", redis, False),
                ("append with the known seq", redis, True),
                ("append sealed, with the known seq", sealed, True),
            ]
            for name, store, known in rows * 2:
                cost = await measure_appends(store, secrets.token_hex(8), known=known)
                print(f"{name:<46}{cost:8.2f} µs")
            await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main())
