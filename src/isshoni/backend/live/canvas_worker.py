"""Run work on a whole canvas beside the event loop: a large one in a process of its own.

pycrdt keeps the interpreter's lock while it reads, merges or drops a document, also in a thread:
up to 0.1 s for each MB. The process is `python -m isshoni.backend.live.canvas_worker`: jobs on its
standard input, results on its standard output, each after its length.
"""

import asyncio
import atexit
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Literal, TypeVar

import msgspec

from isshoni.backend.live.slices import run_in_slices
from isshoni.backend.live.whole_canvas import (
    OpenedLog,
    Snapshot,
    cut_update,
    find_lost,
    make_erasure,
    make_snapshot_in_parts,
    open_log,
    render_elements,
    render_map,
    snapshot_steps,
)
from isshoni.backend.store.ports import CanvasLog, Entry

WORKER_BYTES = 256 * 1024
"""A log of this size or more is read in a process of its own."""
WORKER_UPDATES = 1_000
"""The same for the number of its updates."""
SLICE_SECONDS = 0.000_25
"""The snapshot of a smaller log is made in slices of this time: at once it takes 10 ms. A message
waits for one at each turn of the loop that it needs, of which there are four."""
_GIANT_BYTES = 4 * 1024 * 1024
"""Logs of this size or more are opened apart from smaller ones, which need not wait for them."""
_LIMIT_SECONDS = 120.0
IDLE_SECONDS = 10.0
"""A process without a job ends after this time: its start costs 0.2 s of CPU."""
_BACKGROUND_NICE = 10

_T = TypeVar("_T")
Work = Literal["open", "snapshot", "erasure", "lost", "elements", "map", "cut"]


URGENT = ("open", "cut")
"""Work that a client waits for."""


class _Job(msgspec.Struct, array_like=True):
    work: Work
    snapshot: bytes | None
    updates: list[tuple[int, bytes]]
    poison: list[int]
    extra: list[bytes]

    @property
    def log(self) -> CanvasLog:
        updates = [Entry(seq, payload) for seq, payload in self.updates]
        return CanvasLog(self.snapshot, updates, updates[-1].seq if updates else 0)

    @property
    def size_bytes(self) -> int:
        size = len(self.snapshot or b"") + sum(len(payload) for _, payload in self.updates)
        return size + sum(map(len, self.extra))

    @property
    def is_short(self) -> bool:
        """True if it takes milliseconds: then it needs no process."""
        return self.size_bytes < WORKER_BYTES and len(self.updates) < WORKER_UPDATES

    def run(self) -> object:
        log, poison = self.log, frozenset(self.poison)
        match self.work:
            case "open":
                return open_log(log, poison)
            case "snapshot":
                return make_snapshot_in_parts(log, poison)
            case "erasure":
                return make_erasure(log, poison, self.extra)
            case "lost":
                return find_lost(log, poison, self.extra)
            case "elements":
                return render_elements(log, poison)
            case "map":
                return render_map(log, poison, self.extra[0].decode())
            case "cut":
                return cut_update(self.extra[0])


class WorkerFailed(Exception):
    """The process ended without a result, or the job raised an exception."""

    def __init__(self, returncode: int | None, reason: bytes) -> None:
        last_line = reason.decode(errors="replace").strip().rpartition("\n")[2]
        super().__init__(f"the canvas worker ended with {returncode}: {last_line}")


class _Lane:
    """One process at a time, which does one job at a time: each uses much memory."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"canvas-worker-{name}")
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._end)

    async def run(self, job: bytes) -> bytes:
        """Return the result of a job; raises `WorkerFailed`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, job)

    def _run(self, job: bytes) -> bytes:
        process, is_new = self._start()
        timer = threading.Timer(_LIMIT_SECONDS, process.kill)
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            _write(process.stdin, job)
            status = process.stdout.read(1)
            result = _read(process.stdout) if status else None
        except OSError:
            status, result = b"", None
        finally:
            timer.cancel()
        if result is None:
            code = self._end()
            if not is_new:
                return self._run(job)  # it had just ended because it was idle
            raise WorkerFailed(code, b"it left no result")
        if len(job) >= _GIANT_BYTES:
            self._end()  # to free its memory
        if status != b"0":
            raise WorkerFailed(1, result)
        return result

    def _start(self) -> tuple["subprocess.Popen[bytes]", bool]:
        if self._process is not None and self._process.poll() is None:
            return self._process, False
        self._end()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "isshoni.backend.live.canvas_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self._process, True

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None and process.stdout is not None
        process.kill()
        code = process.wait()
        process.stdout.close()
        try:
            process.stdin.close()
        except OSError:
            pass  # what it had not read
        return code


_LOADS, _GIANT_LOADS = _Lane("loads"), _Lane("giant-loads")
_BACKGROUND = _Lane("background")


async def open_apart(log: CanvasLog, poison: frozenset[int]) -> OpenedLog:
    """Open a log in a worker process, by `open_log`; raises `WorkerFailed`."""
    return await _run(_make_job("open", log, poison), OpenedLog)


async def snapshot_apart(log: CanvasLog, poison: frozenset[int]) -> Snapshot:
    """Make the snapshot of a log: in slices if it is short, else in a worker process.

    Raises `BrokenUpdate` or `WorkerFailed`.
    """
    job = _make_job("snapshot", log, poison)
    if job.is_short:
        return await run_in_slices(snapshot_steps(job.log, poison), SLICE_SECONDS)
    return await _run(job, Snapshot)


async def erasure_apart(log: CanvasLog, poison: frozenset[int], refused: list[bytes]) -> bytes:
    """Find what refused changes would delete in a worker process, by `make_erasure`.

    Raises `BrokenUpdate` or `WorkerFailed`.
    """
    return await _run(_make_job("erasure", log, poison, refused), bytes)


async def find_lost_apart(log: CanvasLog, poison: frozenset[int], held: list[bytes]) -> bytes:
    """Find what a log lacks of held updates in a worker process, by `find_lost`.

    Raises `BrokenUpdate` or `WorkerFailed`.
    """
    return await _run(_make_job("lost", log, poison, held), bytes)


async def elements_apart(log: CanvasLog) -> bytes:
    """Return the elements of a log as JSON; raises `WorkerFailed`."""
    return await _run(_make_job("elements", log, frozenset()), bytes)


async def map_apart(log: CanvasLog, name: str) -> bytes:
    """Return a map of a log's document as JSON; raises `WorkerFailed`."""
    return await _run(_make_job("map", log, frozenset(), [name.encode()]), bytes)


async def cut_apart(update: bytes) -> list[bytes]:
    """Return `cut_update(update)`; raises `BrokenUpdate` or `WorkerFailed`."""
    return await _run(_make_job("cut", CanvasLog(None, [], 0), frozenset(), [update]), list[bytes])


def is_for_worker(log: CanvasLog) -> bool:
    """True if work on a log would stop the event loop for more than a few milliseconds."""
    return measure_log(log) >= WORKER_BYTES or len(log.updates) >= WORKER_UPDATES


def measure_log(log: CanvasLog) -> int:
    """Return the bytes of a log's snapshot and updates."""
    return len(log.snapshot or b"") + sum(len(entry.payload) for entry in log.updates)


def _make_job(
    work: Work, log: CanvasLog, poison: frozenset[int], extra: list[bytes] | None = None
) -> _Job:
    unread = {entry.seq for entry in log.updates if entry.fault is not None}
    updates = [(entry.seq, entry.payload) for entry in log.updates if entry.seq not in unread]
    return _Job(work, log.snapshot, updates, sorted(poison), extra or [])


async def _run(job: _Job, result: type[_T]) -> _T:
    if job.is_short:
        return job.run()  # type: ignore[return-value]
    lane = _BACKGROUND
    if job.work in URGENT:
        lane = _GIANT_LOADS if job.size_bytes >= _GIANT_BYTES else _LOADS
    # In a thread, because a giant one is copied.
    encoded = await asyncio.to_thread(msgspec.msgpack.encode, job)
    answer = await lane.run(encoded)
    return await asyncio.to_thread(msgspec.msgpack.decode, answer, type=result)


def _write(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(8, "big"))
    pipe.write(content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    size = pipe.read(8)
    content = pipe.read(int.from_bytes(size, "big")) if len(size) == 8 else b""
    return content if len(size) == 8 and len(content) == int.from_bytes(size, "big") else None


def main() -> None:
    """Run jobs until there is none for `IDLE_SECONDS`, or the parent has ended."""
    # Ctrl-C reaches every process of a terminal; the parent ends this one when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs, results = sys.stdin.buffer, sys.stdout.buffer
    while select.select([jobs], [], [], IDLE_SECONDS)[0]:
        encoded = _read(jobs)
        if encoded is None:
            return
        try:
            job = msgspec.msgpack.decode(encoded, type=_Job)
            if job.work not in URGENT:
                os.nice(max(0, _BACKGROUND_NICE - os.nice(0)))
            status, result = b"0", msgspec.msgpack.encode(job.run())
        except BaseException as fault:  # a panic inside Yjs is no `Exception`
            status, result = b"1", f"{type(fault).__name__}: {fault}".encode()
        results.write(status)
        _write(results, result)


if __name__ == "__main__":
    main()
