"""Run work on a whole canvas beside the event loop: a large one in a process of its own.

pycrdt keeps the interpreter's lock while it reads a document, also in a thread: 0.1 s for each
MB. The process is `python -m isshoni.backend.live.canvas_worker`: a job on its standard input,
the result on its standard output.
"""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec

from isshoni.backend.live.whole_canvas import make_erasure, make_snapshot
from isshoni.backend.store.ports import CanvasLog, Entry

LARGE_LOG_BYTES = 256 * 1024
"""A log of this size or more is read in a process of its own: its start costs 0.2 s of CPU."""
_LIMIT_SECONDS = 120.0

_one_at_a_time = ThreadPoolExecutor(1, thread_name_prefix="canvas-worker")
"""Runs one process at a time: each may use ten times the memory of its document."""


class _Job(msgspec.Struct, array_like=True):
    snapshot: bytes | None
    updates: list[tuple[int, bytes]]
    poison: list[int]
    refused: list[bytes] | None

    def run(self) -> bytes:
        updates = [Entry(seq, payload) for seq, payload in self.updates]
        log = CanvasLog(self.snapshot, updates, updates[-1].seq if updates else 0)
        if self.refused is None:
            return make_snapshot(log, frozenset(self.poison))
        return make_erasure(log, frozenset(self.poison), self.refused)


class WorkerFailed(Exception):
    """The process ended without a result: its exit code and the last line of its stderr."""

    def __init__(self, returncode: int, stderr: bytes) -> None:
        last_line = stderr.decode(errors="replace").strip().rpartition("\n")[2]
        super().__init__(f"the canvas worker ended with {returncode}: {last_line}")


async def snapshot_apart(log: CanvasLog, poison: frozenset[int]) -> bytes:
    """Return `make_snapshot(log, poison)`; raises `BrokenUpdate` or `WorkerFailed`."""
    return await _run(log, _make_job(log, poison, None))


async def erasure_apart(log: CanvasLog, poison: frozenset[int], refused: list[bytes]) -> bytes:
    """Return `make_erasure(log, poison, refused)`; raises `BrokenUpdate` or `WorkerFailed`."""
    return await _run(log, _make_job(log, poison, refused))


def measure_log(log: CanvasLog) -> int:
    """Return the bytes of a snapshot and the updates after it."""
    return len(log.snapshot or b"") + sum(len(entry.payload) for entry in log.updates)


def _make_job(log: CanvasLog, poison: frozenset[int], refused: list[bytes] | None) -> _Job:
    updates = [(entry.seq, entry.payload) for entry in log.updates]
    return _Job(log.snapshot, updates, sorted(poison), refused)


async def _run(log: CanvasLog, job: _Job) -> bytes:
    if measure_log(log) < LARGE_LOG_BYTES:
        return await asyncio.to_thread(job.run)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_one_at_a_time, _run_in_process, job)


def _run_in_process(job: _Job) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "isshoni.backend.live.canvas_worker"],
        input=msgspec.msgpack.encode(job),
        capture_output=True,
        timeout=_LIMIT_SECONDS,
    )
    if done.returncode != 0:
        raise WorkerFailed(done.returncode, done.stderr)
    return done.stdout


def main() -> None:
    """Read a job, and write its result."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Job)
    sys.stdout.buffer.write(job.run())


if __name__ == "__main__":
    main()
