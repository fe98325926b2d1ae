"""Measure the link to Redis: against redis-py, and by how the disk is synced.

Run as `scripts/bench redis_link [--json] [--seconds 3]`. Two cores and one
loopback are shared with the server: trust the ratios, not the figures.
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import redis.asyncio
import uvloop
from tests.support.valkey import Fsync, ValkeyServer

from isshoni.backend.store.redis.link import (
    LinkSettings,
    RedisLink,
    RedisMeter,
    RedisNodes,
    RedisSubscription,
    Script,
    parse_redis_url,
)
from isshoni.backend.store.redis.store import RedisStore

Row = dict[str, Any]
Call = Callable[[], Awaitable[object]]

_SCRIPT = Script(b"return redis.call('INCR', KEYS[1])")
_ENVELOPE = b'{"client_id":"c-7f3a","n":13,"text":"%b","at":1763850000123,"v":1}' % (b"x" * 60)


async def measure_rate(call: Call, concurrency: int, seconds: float) -> float:
    """Return the calls a second of `concurrency` callers that each wait for their answer."""
    deadline = perf_counter() + seconds

    async def repeat() -> int:
        calls = 0
        while perf_counter() < deadline:
            await call()
            calls += 1
        return calls

    began = perf_counter()
    done = await asyncio.gather(*(repeat() for _ in range(concurrency)))
    return sum(done) / (perf_counter() - began)


async def compare_clients(url: str, seconds: float) -> list[Row]:
    """Measure EVALSHA through the link and through redis-py."""
    nodes = RedisNodes(parse_redis_url(url), LinkSettings(), RedisMeter(), lambda: None)
    await nodes.start()
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=50)
    peer = redis.asyncio.Redis(connection_pool=pool)
    digest = await peer.script_load(_SCRIPT.source.decode())
    rows = []
    for concurrency in (1, 50, 500):
        ours = await measure_rate(lambda: nodes.run(0, _SCRIPT, [b"k"]), concurrency, seconds)
        theirs = await measure_rate(lambda: peer.evalsha(digest, 1, "k"), concurrency, seconds)
        rows += [
            {"what": "EVALSHA", "client": "RedisNodes", "callers": concurrency, "per_s": ours},
            {"what": "EVALSHA", "client": "redis-py", "callers": concurrency, "per_s": theirs},
        ]
    await peer.aclose()
    await pool.aclose()
    await nodes.aclose()
    return rows


async def measure_pubsub(url: str, seconds: float) -> list[Row]:
    """Measure how many publications a second one subscription receives."""
    heard = 0

    def hear(message: bytes) -> None:
        nonlocal heard
        heard += 1

    address, settings, meter = parse_redis_url(url).primary, LinkSettings(), RedisMeter()
    link = RedisLink(address, settings, meter)
    subscription = RedisSubscription(address, settings, meter, lambda: None, lambda channel: None)
    await asyncio.gather(link.start(), subscription.start())
    await subscription.subscribe(b"channel", hear)
    began = perf_counter()
    await measure_rate(lambda: link.execute(b"SPUBLISH", b"channel", _ENVELOPE), 500, seconds)
    rate = heard / (perf_counter() - began)
    await asyncio.gather(link.aclose(), subscription.aclose())
    return [{"what": "SPUBLISH heard", "client": "RedisLink", "callers": 500, "per_s": rate}]


async def measure_appends(url: str, fsync: Fsync, callers: int, seconds: float) -> Row:
    """Measure `append_chat`: rate, and latency in percentiles."""
    store = RedisStore(url)
    await store.start()
    latencies: list[float] = []

    def append_as(client_id: str) -> Call:
        n = 0

        async def append() -> None:
            nonlocal n
            n += 1
            began = perf_counter()
            await store.append_chat("benchmark", client_id, n, _ENVELOPE)
            latencies.append((perf_counter() - began) * 1000)

        return append

    rates = await asyncio.gather(
        *(measure_rate(append_as(secrets.token_hex(4)), 1, seconds) for _ in range(callers))
    )
    await store.aclose()
    latencies.sort()
    return {
        "what": "append_chat",
        "client": f"fsync {fsync}",
        "callers": callers,
        "per_s": sum(rates),
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[len(latencies) * 99 // 100],
    }


async def measure_everything(seconds: float, directory: Path) -> list[Row]:
    """Run every measurement, each on a fresh server."""
    with ValkeyServer(directory / "clients", fsync="no") as server:
        rows = await compare_clients(server.url, seconds)
        rows += await measure_pubsub(server.url, seconds)
    policies: tuple[Fsync, ...] = ("always", "everysec")
    for fsync in policies:
        for callers in (1, 50):
            with ValkeyServer(directory / f"{fsync}-{callers}", fsync=fsync) as server:
                rows.append(await measure_appends(server.url, fsync, callers, seconds))
    return rows


def print_table(rows: list[Row]) -> None:
    """Print the figures as a table."""
    print(f"{'what':16}{'client':16}{'callers':>8}{'per s':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for row in rows:
        latency = "".join(f"{row[name]:9.2f}" for name in ("p50_ms", "p99_ms") if name in row)
        print(f"{row['what']:16}{row['client']:16}{row['callers']:8}{row['per_s']:10,.0f}{latency}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        rows = runner.run(measure_everything(options.seconds, Path(directory)))
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
