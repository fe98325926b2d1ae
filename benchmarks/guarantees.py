"""Measure what each guarantee costs a message, each step beside the one without it.

Run as `scripts/bench guarantees [--json] [--rounds 7] [--seconds 0.5]`. Every round
measures every step once, on servers that all run at the same time. The cost of a step
is processor time, in Redis and in the process that talks to it, which others on the
machine hardly change (the median of the rounds); what a sender waits is the best round.
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
from time import perf_counter, process_time
from typing import Any

import uvloop
from tests.support.valkey import Fsync, ValkeyServer

from isshoni.backend.store.redis.link import (
    LinkSettings,
    RedisLink,
    RedisMeter,
    Script,
    parse_redis_url,
)
from isshoni.backend.store.redis.store import RedisStore
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
    """One step: its guarantee, how a message is sent, what was measured."""

    name: str
    fsync: Fsync
    send: Send
    server: ValkeyServer
    redis_us: list[float] = field(default_factory=list)
    """CPU time of Redis per message, while many callers send at once."""
    process_us: list[float] = field(default_factory=list)
    """CPU time of this process per message."""
    wait_us: list[float] = field(default_factory=list)
    """Time until the answer with a single caller: how long a sender waits for its ack."""

    async def measure(self, seconds: float) -> None:
        """Measure once."""
        redis_began, process_began = read_cpu_seconds(self.server), process_time()
        sent, _ = await send_for(self.send, CALLERS, seconds)
        self.process_us.append((process_time() - process_began) / sent * 1e6)
        self.redis_us.append((read_cpu_seconds(self.server) - redis_began) / sent * 1e6)
        sent, took_seconds = await send_for(self.send, 1, seconds)
        self.wait_us.append(took_seconds / sent * 1e6)

    def to_row(self) -> dict[str, Any]:
        """Return the figures of all rounds."""
        return {
            "step": self.name,
            "fsync": self.fsync,
            "redis_cpu_us": round(statistics.median(self.redis_us), 1),
            "process_cpu_us": round(statistics.median(self.process_us), 1),
            "wait_us": round(min(self.wait_us)),
        }


def read_cpu_seconds(server: ValkeyServer) -> float:
    """Return the CPU time that a server has used."""
    fields = dict(
        line.split(":", 1)
        for line in server.command("INFO", "cpu").decode().splitlines()
        if ":" in line
    )
    return float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])


async def send_for(send: Send, callers: int, seconds: float) -> tuple[int, float]:
    """Return how many messages so many callers sent at once, and in how many seconds."""
    deadline = perf_counter() + seconds

    async def call() -> int:
        client_id, n = secrets.token_hex(4), 0
        while perf_counter() < deadline:
            n += 1
            await send(client_id, n)
        return n

    began = perf_counter()
    sent = sum(await asyncio.gather(*(call() for _ in range(callers))))
    return sent, perf_counter() - began


def make_steps(
    fsync: Fsync, server: ValkeyServer, link: RedisLink, store: RedisStore
) -> list[Step]:
    """Return the steps on one server: each has all guarantees of the step before."""

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

    ladder = {
        "sent to all subscribers (SPUBLISH)": publish,
        "+ in one step with a script": by_script(PUBLISH),
        "+ kept (XADD)": by_script(KEEP, PUBLISH),
        "+ numbered without holes": by_script(ORDER, PUBLISH),
        "+ once (dedupe by client and n)": by_script(DEDUPE, ORDER, PUBLISH),
        "Isshoni: + epoch, bounded memory": append,
    }
    return [Step(name, fsync, send, server) for name, send in ladder.items()]


def time_codec() -> list[dict[str, Any]]:
    """Measure the CPU time of a message in this process, before and after Redis."""
    envelope = ChatEnvelope("c-7f3a", 13, "x" * 60, 1763850000123)
    works: dict[str, Callable[[], object]] = {
        "validated (parse_inbound)": lambda: parse_inbound(FRAME),
        "enveloped (encode_envelope)": lambda: encode_envelope(envelope),
        "acknowledged (encode Ack)": lambda: encode(Ack(13, 44)),
        "made an event (event_frame)": lambda: event_frame(44, ENVELOPE),
    }
    return [{"work": name, "us": round(_time_call(work), 2)} for name, work in works.items()]


def _time_call(work: Callable[[], object], calls: int = 100_000) -> float:
    began = process_time()
    for _ in range(calls):
        work()
    return (process_time() - began) / calls * 1e6


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
            steps += make_steps(fsync, server, link, store)
        for number in range(rounds):
            for step in steps:
                await step.measure(seconds)
            print(f"· round {number + 1} of {rounds}", file=sys.stderr)
        await asyncio.gather(*(close() for close in closers))
    return [step.to_row() for step in steps]


def print_tables(figures: dict[str, list[dict[str, Any]]]) -> None:
    """Print the figures as tables of Markdown."""
    print("| a message is … | fsync | Redis CPU, µs | our CPU, µs | its sender waits, µs |")
    print("|---|---|---:|---:|---:|")
    for row in figures["ladder"]:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")
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
