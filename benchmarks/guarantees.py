"""Measure what each guarantee costs a message, each step beside the one without it.

Run as `scripts/bench guarantees [--json] [--rounds 7] [--seconds 0.5]`. Every round
measures every step once, on servers that all run at the same time, and the figure is
the median of the rounds: what disturbs the machine disturbs all steps alike.
"""

import argparse
import asyncio
import json
import secrets
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from tests.support.valkey import Fsync, ValkeyServer

from isshoni.backend.redis_link import (
    LinkSettings,
    RedisLink,
    RedisMeter,
    Script,
    parse_redis_url,
)
from isshoni.backend.redis_store import RedisStore
from isshoni.session.messages import (
    Ack,
    ChatEnvelope,
    encode,
    encode_envelope,
    event_frame,
    parse_inbound,
)

CALLERS = 50
KEYS = [b"meta:", b"log:", b"clients:"]
FRAME = '{"type":"chat","n":13,"text":"%s"}' % ("x" * 60)
ENVELOPE = encode_envelope(ChatEnvelope("c-7f3a", 13, "x" * 60, 1763850000123))
PUBLISH = "redis.call('SPUBLISH', 'live', ARGV[1])"
DEDUPE = """
local last = tonumber(redis.call('HGET', KEYS[3], ARGV[2]))
if last and tonumber(ARGV[3]) <= last then return last end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])"""
KEEP = "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'e', ARGV[1])"
ORDER = """
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, seq .. '-0', 'e', ARGV[1])"""

Send = Callable[[str, int], Awaitable[object]]
"""Sends one message of a client, with its n."""


@dataclass
class Step:
    """One rung: what is promised on it, how a message is sent, what was measured."""

    name: str
    fsync: Fsync
    send: Send
    busy_us: list[float] = field(default_factory=list)
    """Time a message, of many callers at once: what it takes of the machine."""
    alone_us: list[float] = field(default_factory=list)
    """Time a message, of one caller: what a sender waits for the acknowledgement."""

    def to_row(self) -> dict[str, Any]:
        """Give the medians."""
        return {
            "step": self.name,
            "fsync": self.fsync,
            "busy_us": round(statistics.median(self.busy_us), 1),
            "alone_us": round(statistics.median(self.alone_us), 1),
        }


async def time_message(send: Send, callers: int, seconds: float) -> float:
    """Give the microseconds a message while so many callers send and wait."""
    deadline = perf_counter() + seconds

    async def call() -> int:
        client_id, n = secrets.token_hex(4), 0
        while perf_counter() < deadline:
            n += 1
            await send(client_id, n)
        return n

    began = perf_counter()
    sent = sum(await asyncio.gather(*(call() for _ in range(callers))))
    return (perf_counter() - began) / sent * 1e6


def make_steps(fsync: Fsync, link: RedisLink, store: RedisStore) -> list[Step]:
    """Make the ladder on one server: each rung has all that the rung before has."""

    def by_script(*parts: str) -> Send:
        script = Script("\n".join(parts).encode())
        keys = [key + script.sha for key in KEYS]

        async def send(client_id: str, n: int) -> None:
            command = (b"EVAL", script.source) if n == 1 else (b"EVALSHA", script.sha)
            await link.execute(*command, len(keys), *keys, ENVELOPE, client_id, n)

        return send

    async def publish(client_id: str, n: int) -> None:
        await link.execute(b"SPUBLISH", b"live", ENVELOPE)

    async def append(client_id: str, n: int) -> None:
        await store.append_chat("benchmark", client_id, n, ENVELOPE)

    return [
        Step("heard by whoever listens (SPUBLISH)", fsync, publish),
        Step("+ in one step with a script", fsync, by_script(PUBLISH)),
        Step("+ kept (XADD)", fsync, by_script(KEEP, PUBLISH)),
        Step("+ numbered without holes", fsync, by_script(ORDER, PUBLISH)),
        Step("+ once (dedupe by client and n)", fsync, by_script(DEDUPE, ORDER, PUBLISH)),
        Step("Isshoni: + epoch, bounded memory", fsync, append),
    ]


def time_codec() -> list[dict[str, Any]]:
    """Measure what a message costs the process before and after Redis."""
    envelope = ChatEnvelope("c-7f3a", 13, "x" * 60, 1763850000123)
    works: dict[str, Callable[[], object]] = {
        "validated (parse_inbound)": lambda: parse_inbound(FRAME),
        "enveloped (encode_envelope)": lambda: encode_envelope(envelope),
        "acknowledged (encode Ack)": lambda: encode(Ack(13, 44)),
        "made an event (event_frame)": lambda: event_frame(44, ENVELOPE),
    }
    return [{"work": name, "us": round(_time_call(work), 2)} for name, work in works.items()]


def _time_call(work: Callable[[], object], calls: int = 100_000) -> float:
    began = perf_counter()
    for _ in range(calls):
        work()
    return (perf_counter() - began) / calls * 1e6


async def measure_ladder(rounds: int, seconds: float, directory: Path) -> list[dict[str, Any]]:
    """Measure every step on every fsync policy, round by round."""
    policies: tuple[Fsync, ...] = ("no", "everysec", "always")
    steps: list[Step] = []
    with ExitStack() as stack:
        closers = []
        for fsync in policies:
            server = stack.enter_context(ValkeyServer(directory / fsync, fsync=fsync))
            address = parse_redis_url(server.url).primary
            link = RedisLink(address, LinkSettings(), RedisMeter())
            store = RedisStore(server.url)
            await asyncio.gather(link.start(), store.start())
            closers += [link.aclose, store.aclose]
            steps += make_steps(fsync, link, store)
        for number in range(rounds):
            for step in steps:
                step.busy_us.append(await time_message(step.send, CALLERS, seconds))
                step.alone_us.append(await time_message(step.send, 1, seconds))
            print(f"· round {number + 1} of {rounds}", file=sys.stderr)
        await asyncio.gather(*(close() for close in closers))
    return [step.to_row() for step in steps]


def print_tables(figures: dict[str, list[dict[str, Any]]]) -> None:
    """Print the figures as tables of Markdown."""
    print(f"| a message is … | fsync | µs, {CALLERS} callers | more than before | µs, alone |")
    print("|---|---|---:|---:|---:|")
    before: dict[str, Any] | None = None
    for row in figures["ladder"]:
        same_server = before is not None and before["fsync"] == row["fsync"]
        more = f"{row['busy_us'] - before['busy_us']:+.1f}" if same_server and before else ""
        print(f"| {row['step']} | {row['fsync']} | {row['busy_us']} | {more} | {row['alone_us']} |")
        before = row
    print("\n| in the process, a message is … | µs |\n|---|---:|")
    for row in figures["codec"]:
        print(f"| {row['work']} | {row['us']} |")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=7, help="of all steps")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each step of a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        ladder = uvloop.run(measure_ladder(options.rounds, options.seconds, Path(directory)))
    figures = {"ladder": ladder, "codec": time_codec()}
    if options.json:
        json.dump(figures, sys.stdout, indent=2)
    else:
        print_tables(figures)


if __name__ == "__main__":
    main()
