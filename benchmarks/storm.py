"""Cut all clients at one moment, and measure how long until the last is restored (T11).

    scripts/bench storm                        2,000 clients in 100 sessions, each kind of cut
    scripts/bench storm --clients 200 --only kill --kind json --stock-pct 0

Starts a whole platform: Valkey, Envoy, a backend with its warm spare. Each session has 200 messages
and 1,000 elements. `kill`: kill -9 of the backend; `envoy`: kill -9 of Envoy; `network`: every
socket is dropped by its client. `--kind returning`: clients know their position and canvas;
`fresh`: they know nothing; `json`: nothing, and read the canvas as JSON. After that single clients
come back, 20 a second, beside all the others: `unloaded`. The figures of T11 are at the end.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pycrdt
from tests.support.installation import Installation, installation
from websockets.asyncio.client import connect

from isshoni.environments.local.programs import ProgramFiles
from isshoni.session.sync import make_step1, make_update

CUTS = ("kill", "envoy", "network")
CUT_BY = {
    "kill": "kill -9 of the backend",
    "envoy": "kill -9 of Envoy",
    "network": "a lost network",
}
SINGLE, SINGLE_PAUSE_SECONDS = 200, 0.05
MESSAGES, ELEMENTS = 200, 1000


class Workers:
    """Processes full of clients, each driven by lines of text."""

    def __init__(self, port: int, options: argparse.Namespace) -> None:
        share, rest = divmod(options.clients, options.workers)
        self._processes = []
        self._next = 0
        first = 0
        for number in range(options.workers):
            count = share + (number < rest)
            words = ("127.0.0.1", port, first, count, options.sessions)
            self._processes.append(_start((*words, options.kind, options.stock_pct)))
            first += count

    def ask(self, *command: object) -> list[dict[str, Any]]:
        """Send a command to all, and return their answers."""
        for process in self._processes:
            _write(process, *command)
        return [
            json.loads(process.stdout.readline()) for process in self._processes if process.stdout
        ]

    def ask_one(self, *command: object) -> None:
        """Send a command to the next of them in turn, and wait for its answer."""
        process = self._processes[self._next % len(self._processes)]
        self._next += 1
        _write(process, *command)
        assert process.stdout is not None
        process.stdout.readline()

    def restored(self) -> int:
        """Count the clients that are restored."""
        return sum(answer["restored"] for answer in self.ask("count"))

    def cpu_seconds(self) -> float:
        """Return the CPU time that all of them have used."""
        return float(sum(answer["cpu"] for answer in self.ask("count")))

    def kill(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.kill()
            process.communicate()


def _write(process: "subprocess.Popen[str]", *command: object) -> None:
    assert process.stdin is not None
    process.stdin.write(" ".join(map(str, command)) + "\n")
    process.stdin.flush()


def _start(words: tuple[object, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.support.storm_clients", *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def fill(address: str, sessions: int) -> bytes:
    """Write the messages and the elements of each session; return the step 1 of a full canvas."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    for number in range(ELEMENTS):
        element = {"id": f"e{number}", "type": "rectangle", "x": number, "y": 2, "width": 50}
        elements[f"e{number}"] = element
    update = make_update(doc.get_update())
    for start in range(0, sessions, 10):
        numbers = range(start, min(start + 10, sessions))
        await asyncio.gather(*(_fill_one(address, f"storm-{number}", update) for number in numbers))
    return make_step1(doc)


async def _fill_one(address: str, session_id: str, update: bytes) -> None:
    async with connect(f"{address}/ws/{session_id}", compression=None, max_size=None) as socket:
        await socket.send(
            json.dumps({"type": "restore_session", "session_id": session_id, "can": ["canvas"]})
        )
        await socket.send(update)
        for n in range(1, MESSAGES + 1):
            await socket.send(json.dumps({"type": "chat", "n": n, "text": "x" * 60}))
        acked = saved = 0
        while acked < MESSAGES or not saved:
            frame = await asyncio.wait_for(socket.recv(), 30)
            if isinstance(frame, str) and frame.startswith('{"type":"ack"'):
                acked = json.loads(frame)["n"]
            saved += isinstance(frame, str) and frame.startswith('{"type":"saved"')


def cut(platform: Installation, workers: Workers, which: str) -> None:
    """Cut every client's connection at once."""
    if which == "kill":
        os.kill(platform.pid("blue"), signal.SIGKILL)
    elif which == "envoy":
        os.kill(platform.pid("balancer"), signal.SIGKILL)
    else:
        workers.ask("cut")


def measure(platform: Installation, workers: Workers, which: str, clients: int) -> dict[str, Any]:
    """Cut the clients, wait until all are restored, and return the figures."""
    workers.ask("expect")
    load_cpu = workers.cpu_seconds()
    serving = find_next(platform, which)
    backend = sum(serving.cpu_times()[:2])
    began = time.monotonic()
    cut(platform, workers, which)
    time.sleep(0.2)
    while workers.restored() < clients and time.monotonic() - began < 60:
        time.sleep(0.1)
    whole_at = time.monotonic() - began
    load_cpu = workers.cpu_seconds() - load_cpu
    backend = sum(serving.cpu_times()[:2]) - backend
    time.sleep(1)
    records = [record for answer in workers.ask("report") for record in answer["clients"]]
    return summarise(which, records, whole_at, began, load_cpu, backend)


def find_next(platform: Installation, which: str) -> psutil.Process:
    """Return the process that serves clients after a cut: a killed one's spare takes over."""
    seen = ProgramFiles(platform.directory / "state").observed("blue")
    assert seen is not None and seen.pid is not None
    spare = seen.spare_pid if which == "kill" else None
    return psutil.Process(spare or seen.pid)


def measure_single(platform: Installation, workers: Workers, clients: int) -> dict[str, Any]:
    """Cut single clients, one after another, while all others stay; return the figures."""
    workers.ask("expect")
    load_cpu, serving = workers.cpu_seconds(), find_next(platform, "network")
    backend, began = sum(serving.cpu_times()[:2]), time.monotonic()
    for _ in range(min(SINGLE, clients)):
        workers.ask_one("one")
        time.sleep(SINGLE_PAUSE_SECONDS)
    time.sleep(1)
    seconds = time.monotonic() - began
    load_cpu = workers.cpu_seconds() - load_cpu
    backend = sum(serving.cpu_times()[:2]) - backend
    records = [record for answer in workers.ask("report") for record in answer["clients"]]
    cut = [record for record in records if record["lost_at"]]
    return summarise("unloaded", cut, seconds, began, load_cpu, backend)


def describe(figures: dict[str, Any]) -> str:
    """Return the figures that T11 is about, as docs/figures.md has them."""
    if figures["cut"] == "unloaded":
        return (
            f"T11: a single client is restored within, p99: {figures['restore_ms']['p99']} ms (20)"
        )
    rate = figures["restored"] / max(0.01, figures["backend_cpu_seconds"])
    return (
        f"T11: {figures['clients']:,} clients back at once after {CUT_BY[figures['cut']]}: "
        f"{figures['restored']:,} restored in {figures['all_restored_seconds']:.1f} s (5); "
        f"asked to wait twice: {figures['asked_to_wait_twice']} (0); "
        f"{rate:,.0f} restores a second and core (1,000)"
    )


def summarise(
    which: str,
    records: list[dict[str, Any]],
    whole_at: float,
    began: float,
    load_cpu: float,
    backend_cpu: float,
) -> dict[str, Any]:
    """Return the figures of one storm."""
    back = [record for record in records if record["restored"] and record["restored_at"]]
    last = max((record["restored_at"] - began for record in back), default=0.0)
    restore = [r["restored_at"] - r["asked_at"] for r in back if r["asked_at"]]
    gap = [r["restored_at"] - r["lost_at"] for r in back if r["lost_at"]]
    closes = [code for record in records for code in record["closes"]]
    return {
        "cut": which,
        "clients": len(records),
        "restored": len(back),
        "all_restored_seconds": round(last, 2),
        "restore_ms": percentiles(restore),
        "gap_ms": percentiles(gap),
        "asked_to_wait_once": sum(record["asked_to_wait"] == 1 for record in records),
        "asked_to_wait_twice": sum(record["asked_to_wait"] > 1 for record in records),
        "timed_out": sum(record["timed_out"] for record in records),
        "closes_after_the_cut": {
            str(code): closes.count(code) - (len(records) if code == 1006 else 0)
            for code in sorted(set(closes))
        },
        "load_cpu_pct": round(100 * load_cpu / max(whole_at, 0.01)),
        "backend_cpu_seconds": round(backend_cpu, 2),
    }


def percentiles(seconds: list[float]) -> dict[str, int]:
    """Return p50, p99 and the maximum in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))])
        for name, share in at.items()
    }


@contextmanager
def crowd(platform: Installation, options: argparse.Namespace) -> Iterator[Workers]:
    """Fill the sessions, and join all clients one after another."""
    address = platform.status()["address"]
    state = asyncio.run(fill(address.replace("http", "ws", 1), options.sessions))
    workers = Workers(int(address.rsplit(":", 1)[1].rstrip("/")), options)
    try:
        if options.kind == "returning":
            workers.ask("state", state.hex())
        workers.ask("join", options.workers / 400)
        deadline = time.monotonic() + 60
        while workers.restored() < options.clients:
            assert time.monotonic() < deadline, "not all clients joined"
            time.sleep(0.2)
        time.sleep(6)  # so that the backoff of every client begins again
        yield workers
    finally:
        workers.kill()


def main() -> None:
    """Run the storms that are asked for, and print their figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stock-pct", type=int, default=10)
    parser.add_argument("--kind", choices=("returning", "fresh", "json"), default="returning")
    parser.add_argument("--only", choices=CUTS, action="append")
    options = parser.parse_args()
    with installation() as platform:
        platform.up()
        with crowd(platform, options) as workers:
            found = []
            for which in options.only or CUTS:
                found.append(measure(platform, workers, which, options.clients))
                print(json.dumps(found[-1]), flush=True)
                time.sleep(6)
            found.append(measure_single(platform, workers, options.clients))
            print(json.dumps(found[-1]), flush=True)
        print("\n".join(map(describe, found)))


if __name__ == "__main__":
    main()
