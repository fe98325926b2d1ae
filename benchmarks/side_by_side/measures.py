"""The measurements of one server: throughput, latency at a fixed rate, memory."""

import contextlib
import time
from dataclasses import dataclass

import psutil
from benchmarks.side_by_side.cores import CpuSample, before_all_others
from benchmarks.side_by_side.figures import Run
from benchmarks.side_by_side.programs import Bench, Generator, Server

LATENCY_RATE = 1000
IDLE_CONNECTIONS = 2000
WARM_CONNECTIONS = 50


@dataclass(frozen=True)
class Shape:
    """A measurement of one kind."""

    name: str
    rooms: int
    size: int
    rate: int = 0
    """Messages a second in all; 0: as many as the server takes."""


SHAPES = (
    # First, so that no backlog of a server that was overloaded is left.
    Shape(f"latency at {LATENCY_RATE:,}/s", rooms=20, size=10, rate=LATENCY_RATE),
    Shape("rooms of 10", rooms=20, size=10),
    Shape("rooms of 100", rooms=3, size=100),
)


def measure(bench: Bench, server: Server, shape: Shape, seconds: float, warmup: float) -> Run:
    """Load a server, and return what arrived, and who used the cores."""
    options: dict[str, object] = {"rooms": shape.rooms, "size": shape.size}
    options |= {"mode": "rate", "rate": shape.rate} if shape.rate else {"mode": "throughput"}
    with contextlib.ExitStack() as stack:
        load = Generator(bench, server, **options, seconds=seconds, warmup=warmup)
        generator = stack.enter_context(load)
        own = (bench.valkey_pid, generator.process.pid)
        if bench.realtime and shape.rate:
            stack.enter_context(before_all_others((server.process.pid, *own)))

        def sample() -> CpuSample:
            return CpuSample.take(bench.cores, server.process.pid, own)

        generator.read()
        generator.proceed()
        generator.read()
        before = sample()
        generator.read()
        after = sample()
        found = generator.read()
    return _to_run(found, before, after)


def _to_run(found: dict[str, float], before: CpuSample, after: CpuSample) -> Run:
    clock = after.at - before.at
    seconds = found["seconds"]
    values = {
        "messages_per_second": found["sent"] / seconds,
        "deliveries_per_second": found["deliveries"] / seconds,
    }
    server = after.server - before.server
    if server > 0:
        values["messages_per_cpu_second"] = found["sent"] / seconds * clock / server
    if found["latencies"]:
        values |= {name: found[name] for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")}
    others = (after.busy - before.busy) - (after.own - before.own)
    return Run(
        values=values,
        server_share=server / clock,
        generator_share=found["cpu_seconds"] / seconds,
        others_share=max(0.0, others / clock),
        stolen_share=(after.stolen - before.stolen) / clock,
        missing=int(found["missing"]),
    )


def measure_memory(bench: Bench, server: Server, connections: int = IDLE_CONNECTIONS) -> float:
    """Return kB of the server for each of many idle connections, ten a room."""
    process = psutil.Process(server.process.pid)
    with Generator(bench, server, rooms=WARM_CONNECTIONS // 10, size=10, mode="idle") as warm:
        warm.read()
        time.sleep(0.5)
        before = process.memory_info().rss
        with Generator(bench, server, rooms=connections // 10, size=10, mode="idle") as many:
            many.read()
            time.sleep(1.0)
            used: int = process.memory_info().rss - before
    return used / connections / 1000
