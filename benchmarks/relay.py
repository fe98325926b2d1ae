"""What a relay costs, and what moves through it lose (T13, T16).

    scripts/bench relay                         all of it
    scripts/bench relay --measure latency       one of latency, frames, memory, deaf, idle, moves
    scripts/bench relay --measure moves --deploys 20 --clients 200
    scripts/bench relay --measure idle --sockets 10000

`latency` sends through the relay and past it at the same time, in the same run: compare within it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.support.relayed import (
    RawClient,
    Relayed,
    connect_many,
    raise_limit,
    relayed,
)
from tests.support.valkey import ValkeyServer

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.verify.percentiles import percentile
from isshoni.verify.ports import COMMAND_PHASE, DeployReport, PhaseSpan
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.stock.run import make_command, verify_stock
from isshoni.verify.stock.settings import Kind, StockSettings
from isshoni.verify.users import Habits

Figures = dict[str, Any]
KEY = b"\x12\x34\x56\x78"
PAYLOAD = b"x" * 32
FRAME = make_frame(TEXT, PAYLOAD, KEY)
ANSWER_BYTES = len(make_frame(TEXT, PAYLOAD))


def echo_command(port: int) -> list[str]:
    """Return the command of the program that costs little."""
    return [sys.executable, "-m", "benchmarks.support.echo_program", str(port)]


def chat_command(port: int) -> list[str]:
    """Return the command of an unmodified chat."""
    app = ["-m", "uvicorn", "tests.support.tutorial_chat:app"]
    return [sys.executable, *app, "--port", str(port), "--log-level", "error"]


async def measure_latency(bench: Relayed, options: argparse.Namespace) -> Figures:
    """Send single messages through the relay and past it, in turn; return the round trips."""
    half = options.clients // 2
    ways = {
        "direct": await connect_many(bench.programs["blue"], half),
        "relayed": await connect_many(bench.doors["blue"], half),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    deadline = time.perf_counter() + options.seconds

    def answer(came: asyncio.Event, data: bytes) -> None:
        came.set()

    async def talk(client: RawClient, trips: list[float], pause: float) -> None:
        await asyncio.sleep(pause)
        while time.perf_counter() < deadline:
            came = asyncio.Event()
            client.receive = partial(answer, came)
            began = time.perf_counter()
            client.write(FRAME)
            await came.wait()
            trips.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.2)

    await asyncio.gather(
        *(
            talk(client, found[way], 0.2 * n / half)
            for way, clients in ways.items()
            for n, client in enumerate(clients)
        )
    )
    close_all(*ways.values())
    figures: Figures = {"round_trips": {way: len(trips) for way, trips in found.items()}}
    for share in (0.5, 0.99):
        direct, through = (percentile(sorted(found[way]), share) for way in ways)
        figures[f"p{share * 100:g}_ms"] = {
            "direct": round(direct, 3),
            "relayed": round(through, 3),
            "added": round(through - direct, 3),
        }
    return figures


async def measure_frames(bench: Relayed, options: argparse.Namespace) -> Figures:
    """Return how many frames the relay passes in a second of its processor time."""
    figures: Figures = {}
    for window in (1, 16):
        clients = await connect_many(bench.doors["blue"], 100)
        count = 0

        def answer_with(client: RawClient) -> Callable[[bytes], None]:
            rest = 0

            def receive(data: bytes) -> None:
                nonlocal count, rest
                whole, rest = divmod(rest + len(data), ANSWER_BYTES)
                count += whole
                client.write(FRAME * whole)

            return receive

        for client in clients:
            client.receive = answer_with(client)
            client.write(FRAME * window)
        await asyncio.sleep(0.5)
        before, began, at = count, bench.cpu_seconds(), time.perf_counter()
        await asyncio.sleep(options.seconds)
        frames, cpu = 2 * (count - before), bench.cpu_seconds() - began
        figures[f"window_{window}"] = {
            "frames_per_cpu_second": round(frames / cpu),
            "frames_per_second": round(frames / (time.perf_counter() - at)),
        }
        close_all(clients)
    return figures


async def measure_memory(bench: Relayed, options: argparse.Namespace) -> Figures:
    """Return the memory of an idle client, both sockets and its link together."""
    warm_up = await connect_many(bench.doors["blue"], 100)
    close_all(warm_up)
    await asyncio.sleep(0.5)
    before = bench.memory_bytes()
    clients = await connect_many(bench.doors["blue"], 2000)
    for client in clients:
        client.write(FRAME)
    await asyncio.sleep(1.0)
    used = bench.memory_bytes() - before
    close_all(clients)
    return {"kB_a_client": round(used / 1024 / len(clients), 1)}


async def measure_deaf(bench: Relayed, options: argparse.Namespace) -> Figures:
    """Return the memory that clients of one address cost which read nothing."""
    before = bench.memory_bytes()
    clients = await connect_many(bench.doors["blue"], options.deaf, "/flood/{}")
    for client in clients:
        assert client.transport is not None
        client.transport.pause_reading()
    await asyncio.sleep(3.0)
    used = bench.memory_bytes() - before
    close_all(clients)
    return {"clients": len(clients), "MiB": round(used / 2**20, 1)}


async def measure_idle(bench: Relayed, options: argparse.Namespace) -> Figures:
    """Move many idle sockets there and back; return how long it took, and how many were cut."""
    count = min(options.sockets, (raise_limit() - 500) * 2 // 5)
    clients = await connect_many(bench.doors["blue"], count)
    there = await bench.move_all("blue", "green", options.rate)
    back = await bench.move_all("green", "blue", options.rate)
    cut = sum(client.ended for client in clients)
    close_all(clients)
    return {"sockets": count, "there_seconds": there, "back_seconds": back, "cut": cut}


class Mover:
    """In place of a deploy: moves all clients to the other program, and back."""

    def __init__(self, bench: Relayed, rate: float) -> None:
        self._bench, self._rate = bench, rate
        self.seconds: list[float] = []

    async def deploy(self, version: str) -> DeployReport:
        """Move all clients there, and back as a rollback does."""
        began = time.time()
        self.seconds.append(await self._bench.move_all("blue", "green", self._rate))
        self.seconds.append(await self._bench.move_all("green", "blue", self._rate))
        return DeployReport("promoted", phases=(PhaseSpan(COMMAND_PHASE, began, time.time()),))


async def measure_moves(bench: Relayed, options: argparse.Namespace) -> Figures:
    """Move stock clients of an unmodified chat there and back; return what the ledger found."""
    mover = Mover(bench, options.rate)
    settings = RunSettings(
        clients=options.clients,
        sessions=options.clients // 5,
        talk_seconds=5.0,
        quiet_seconds=1.0,
        habits=Habits(messages_per_second=1.0, edits_per_second=0.0),
        settle_seconds=30.0,
        join_seconds=60.0,
    )
    url = f"ws://127.0.0.1:{bench.doors['blue']}/ws/{{room}}"
    result = await verify_stock(
        StockSettings(Kind.PLAIN, url),
        settings,
        make_command(Kind.PLAIN),
        deploys=[PlannedDeploy(f"deploy {n}") for n in range(1, options.deploys + 1)],
        runner=mover,
    )
    messages, stock = result.messages, result.stock
    return {
        "clients": options.clients,
        "moves": 2 * options.deploys * options.clients,
        "seconds_a_move_of_all": round(percentile(sorted(mover.seconds), 0.5), 2),
        "closes": None if stock is None else stock.closes,
        **{n: getattr(messages, n) for n in ("sent", "delivered", "lost", "doubled", "reordered")},
        "trouble": list(result.trouble),
    }


def close_all(*groups: list[RawClient]) -> None:
    """Close clients' sockets."""
    for clients in groups:
        for client in clients:
            client.close()


MEASURES: dict[str, Callable[[Relayed, argparse.Namespace], Awaitable[Figures]]] = {
    "latency": measure_latency,
    "frames": measure_frames,
    "memory": measure_memory,
    "deaf": measure_deaf,
    "idle": measure_idle,
    "moves": measure_moves,
}


async def run(options: argparse.Namespace) -> Figures:
    """Measure what is asked for, each with a relay of its own."""
    raise_limit()
    found: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        redis = ValkeyServer(Path(folder), fsync="no")
        redis.start()
        try:
            for name in options.measure or MEASURES:
                command = chat_command if name == "moves" else echo_command
                async with relayed(
                    command, {"REDIS_URL": f"{redis.url}?max_connections=10000"}
                ) as bench:
                    found[name] = await MEASURES[name](bench, options)
        finally:
            redis.kill()
    return found


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="append", choices=list(MEASURES))
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--deploys", type=int, default=20, help="each with a move back")
    parser.add_argument("--rate", type=float, default=200.0, help="clients moved a second")
    parser.add_argument("--sockets", type=int, default=10_000, help="of the measure idle")
    parser.add_argument("--deaf", type=int, default=200, help="of the measure deaf")
    parser.add_argument("--seconds", type=float, default=10.0, help="of latency and frames")
    print(json.dumps(uvloop.run(run(parser.parse_args())), indent=1))


if __name__ == "__main__":
    main()
