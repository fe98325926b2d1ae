"""Open, restore, compact and export large canvases, and measure the longest stall of the rest.

    scripts/bench stalls [MB …]

Starts its own Valkey and backend on free ports. While one session works on its canvas, a client of
another session pings the backend all the time, from a process of its own: its longest round trip
is the stall that a user sees. `inside` is the event loop's own lag, from /admin/metrics. The phase
`quiet` shows what the machine adds to both. At the end clients of one address ask for the largest
canvas and read nothing: it prints what they make the process hold (T16).
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pycrdt
from benchmarks.support.deaf_clients import CLIENTS, measure_held_bytes
from tests.support.backend import ADMIN_TOKEN, BackendProcess
from tests.support.valkey import ValkeyServer
from websockets.asyncio.client import ClientConnection, connect
from websockets.sync.client import connect as connect_blocking

from isshoni.backend.store.redis.store import RedisStore
from isshoni.session.sync import make_step1

_PROPERTIES = 25
"""Of an element, as the page stores it: a Yjs map."""
_QUIET_SECONDS = 3.0
_UNLOAD_SECONDS = 7.0
"""More than the time after which a session without connections is unloaded."""


def probe(url: str) -> None:
    """Ping a session for ever; print the longest round trip since the last line of stdin."""
    import threading

    worst = 0.0

    def answer() -> None:
        nonlocal worst
        for _ in sys.stdin:
            found, worst = worst, 0.0
            print(found, flush=True)

    threading.Thread(target=answer, daemon=True).start()
    with connect_blocking(url) as socket:
        session_id = url.rpartition("/")[2]
        socket.send(make_restore(session_id))
        socket.recv()
        while True:
            began = time.perf_counter()
            socket.send('{"type":"ping"}')
            socket.recv()
            worst = max(worst, time.perf_counter() - began)
            time.sleep(0.002)


def start_prober(url: str) -> "subprocess.Popen[str]":
    """Start a process that runs `probe`."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stalls", "--probe", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class Stalls:
    """Runs phases, and prints the longest stall of each."""

    def __init__(self, backend: "MeasuredBackend", prober: "subprocess.Popen[str]") -> None:
        self._backend = backend
        self._prober = prober
        self.worst: dict[str, float] = {}

    async def during(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Print the longest stall, outside and inside, while `work` runs."""
        self._longest_round_trip()
        self._backend.lag_ms()
        began = time.monotonic()
        await work()
        seconds = time.monotonic() - began
        outside = self._longest_round_trip() * 1000
        self.worst[name] = outside
        print(
            f"{name:36s} {seconds:6.2f} s; longest stall {outside:6.1f} ms outside, "
            f"{self._backend.lag_ms():6.1f} ms inside",
            flush=True,
        )

    def _longest_round_trip(self) -> float:
        assert self._prober.stdin is not None and self._prober.stdout is not None
        self._prober.stdin.write("\n")
        self._prober.stdin.flush()
        return float(self._prober.stdout.readline())


class MeasuredBackend(BackendProcess):
    """A backend whose event loop's lag can be read."""

    def lag_ms(self) -> float:
        """Return the longest lag of the last seconds."""
        url = f"http://127.0.0.1:{self.admin_port}/admin/status"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        return float(find_number(answer.json(), "event_loop_lag_ms"))


def make_restore(session_id: str) -> str:
    """Return the restore request of a client that syncs the canvas by itself."""
    request = {"type": "restore_session", "session_id": session_id, "client_id": "c"}
    return json.dumps(request | {"can": ["canvas"]})


def find_number(tree: Any, name: str) -> float:
    """Return the first number of that name in a tree of dicts."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name:
                return float(value)
            if isinstance(value, dict) and (found := find_number(value, name)) >= 0:
                return found
    return -1.0


async def store_canvas(store: RedisStore, session_id: str, megabytes: float) -> int:
    """Store a canvas of about that size, as a snapshot and some updates; return its bytes."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    size = number = 0
    while size < megabytes * 1_000_000:
        with doc.transaction():
            for _ in range(100):
                element = {f"property{n}": number * n for n in range(_PROPERTIES)}
                elements[f"element-{number}"] = pycrdt.Map(element)
                number += 1
        size += len(made[-1])
    doc.unobserve(subscription)
    for update in made:
        seq = await store.append_canvas(session_id, update)
    await store.open_session(session_id)
    assert isinstance(seq, int)
    log = await store.load_canvas(session_id)
    whole, digest = doc.get_update(), log.updates[-1].digest
    assert await store.compact_canvas(session_id, whole, upto=seq, digest=digest)
    return len(whole)


async def open_canvas(url: str, session_id: str, size_bytes: int) -> ClientConnection:
    """Ask for a whole canvas as a Yjs client does, and read all of it."""
    socket = await connect(
        f"{url}/ws/{session_id}", max_size=None, compression=None, close_timeout=1.0
    )
    await socket.send(make_step1(pycrdt.Doc()))
    await socket.send(make_restore(session_id))
    read = 0
    while read < size_bytes * 0.99:
        read += len(await socket.recv())
    return socket


def make_edits(count: int) -> list[bytes]:
    """Return small changes; each is an entry of the log, so that the canvas is compacted."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    for number in range(count):
        elements["moved"] = {"x": number}
    doc.unobserve(subscription)
    return made


async def restore_as_json(url: str, session_id: str, elements: int) -> None:
    """Restore as a client that reads the canvas as JSON."""
    async with connect(f"{url}/ws/{session_id}", max_size=None, compression=None) as socket:
        await socket.send(
            json.dumps({"type": "restore_session", "session_id": session_id, "client_id": "j"})
        )
        found = 0
        while found < elements:
            frame = json.loads(await socket.recv())
            found += len(frame.get("canvas_state") or frame.get("elements") or ())


async def measure(backend: MeasuredBackend, redis_url: str, megabytes: list[float]) -> None:
    """Measure each size in a session of its own."""
    store = RedisStore(redis_url)
    await store.start()
    url = backend.url.replace("http", "ws")
    prober = start_prober(f"{url}/ws/other")
    try:
        stalls = Stalls(backend, prober)
        await stalls.during("quiet", lambda: asyncio.sleep(_QUIET_SECONDS))
        for size in megabytes:
            await measure_size(stalls, url, store, size)
        print(f"longest stall of all: {max(stalls.worst.values()):.1f} ms (T15: 50)")
    finally:
        prober.kill()
        prober.wait()
        await store.aclose()


async def measure_size(stalls: Stalls, url: str, store: RedisStore, megabytes: float) -> None:
    """Measure what is done with one canvas."""
    session_id, sockets = f"canvas-{megabytes:g}", []
    size_bytes = await store_canvas(store, session_id, megabytes)
    elements = len_of_elements(await store.load_canvas(session_id))
    name = f"{size_bytes / 1_000_000:.1f} MB, {elements:,} elements: "

    async def enter() -> None:
        sockets.append(await open_canvas(url, session_id, size_bytes))

    async def leave() -> None:
        for socket in sockets:
            await socket.close()
        await asyncio.sleep(_UNLOAD_SECONDS)

    async def compact() -> None:
        for update in make_edits(600):
            await store.append_canvas(session_id, update)
        while len(await store.read_canvas(session_id, after=0)) > 300:
            await asyncio.sleep(0.1)

    async def export() -> None:
        async with httpx.AsyncClient(timeout=60.0) as client:
            http = url.replace("ws", "http", 1)
            answer = await client.get(f"{http}/sessions/{session_id}/export/canvas.json")
            answer.raise_for_status()

    await stalls.during(name + "open", enter)
    await stalls.during(name + "open again", enter)
    await stalls.during(name + "compact", compact)
    await stalls.during(name + "export", export)
    await stalls.during(name + "restore", lambda: restore_as_json(url, session_id, elements))
    await stalls.during(name + "unload", leave)


async def measure_deaf(backend: BackendProcess, redis_url: str, session_id: str) -> None:
    """Print what clients of one address that read nothing make a process hold."""
    store = RedisStore(redis_url)
    await store.start()
    log = await store.load_canvas(session_id)
    await store.aclose()
    assert log.snapshot is not None
    url = backend.url.replace("http", "ws")
    socket = await open_canvas(url, session_id, len(log.snapshot))
    held = await measure_held_bytes(backend.process.pid, backend.port, session_id)
    await socket.close()
    print(
        f"held for {CLIENTS} clients of one address that read nothing: {held / (1 << 20):.1f} MiB "
        "(T16: 64)"
    )


def len_of_elements(log: Any) -> int:
    """Return the number of elements of a log that is one snapshot."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc.apply_update(log.snapshot)
    return len(doc.get("elements", type=pycrdt.Map))


async def main(megabytes: list[float]) -> None:
    """Run a backend, and measure."""
    with tempfile.TemporaryDirectory() as directory:
        with ValkeyServer(Path(directory) / "valkey", fsync="everysec") as valkey:
            with MeasuredBackend(valkey.url, Path(directory) / "log") as backend:
                backend.wait_until_ready()
                await measure(backend, valkey.url, megabytes)
            # Another process: memory that this one has freed would hide what is held.
            log = Path(directory) / "log-2"
            with BackendProcess(valkey.url, log, ISSHONI_TRUSTED_PROXIES="1") as fresh:
                fresh.wait_until_ready()
                await measure_deaf(fresh, valkey.url, f"canvas-{max(megabytes):g}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--probe"]:
        probe(sys.argv[2])
    else:
        asyncio.run(main([float(size) for size in sys.argv[1:]] or [1.0, 4.0, 19.0]))
