"""The users of a run in several processes, so that no single processor limits them."""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from isshoni.errors import IsshoniError
from isshoni.verify.child_process import end_by_stdin
from isshoni.verify.clock import RunClock
from isshoni.verify.collected import Collected, add_all
from isshoni.verify.load import Counts
from isshoni.verify.settings import RunSettings
from isshoni.verify.worker_messages import (
    Collect,
    Counted,
    Do,
    Done,
    Found,
    Start,
    Step,
    ToWorker,
    read_from_worker,
    send,
)

LEAVE_SECONDS = 10.0
_SHOWN_BYTES = 2000


class WorkerDied(IsshoniError):
    """A worker process ended before the run: what its users saw is unknown."""

    def __init__(self, index: int, of: int, exit_code: int | None, written: str) -> None:
        how = f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else "an error"
        tail = f": {written}" if written else ""
        super().__init__(
            f"worker process {index + 1} of {of} was ended by {how} before the run was over; "
            "what its users saw is unknown, so there is no result. Check the memory of this "
            f"machine, or use fewer clients{tail}"
        )
        self.index = index


class WorkerLoad:
    """Users divided among worker processes, by session; each judges its own sessions."""

    def __init__(self, url: str, settings: RunSettings, clock: RunClock) -> None:
        self._url = url
        self._settings = settings
        self._clock = clock
        self._workers: list[_Worker] = []
        self._cpu_seconds = 0.0

    async def connect(self) -> None:
        """Start the processes, and connect all users at a limited pace."""
        run, of = uuid.uuid4().hex[:8], self._settings.workers
        for index in range(of):
            worker = _Worker(index, of)
            self._workers.append(worker)
            await worker.start()
            worker.send(
                Start(
                    url=self._url,
                    settings=self._settings,
                    run=run,
                    index=index,
                    of=of,
                    clock_started=self._clock.started,
                    started_at_unix=self._clock.started_at_unix,
                )
            )
        await self._do("connect")

    async def start_talking(self) -> None:
        """Let all users type and draw."""
        self._cpu_seconds -= time.process_time()
        await self._do("start_talking")

    async def stop_talking(self) -> None:
        """Stop all users from typing and drawing."""
        await self._do("stop_talking")
        self._cpu_seconds += time.process_time()

    async def settle(self) -> None:
        """Wait, for a limited time, until everything has reached every user."""
        await self._do("settle")

    async def read_final_state(self) -> None:
        """Record the final logs and canvases, as users and newcomers see them."""
        await self._do("read_final_state")

    async def collect(self, deploys_began_at: Sequence[float], ended_at: float) -> Collected:
        """Return the findings of all processes, added up."""
        request = Collect(tuple(deploys_began_at), ended_at)
        answers = await asyncio.gather(*(worker.ask(request) for worker in self._workers))
        parts = [answer.collected for answer in answers if isinstance(answer, Found)]
        # This process only waits and prints, but it belongs to the load.
        return add_all(parts).with_cpu(self._cpu_seconds)

    async def leave(self) -> None:
        """End every process; its users close their connections."""
        await asyncio.gather(*(worker.aclose() for worker in self._workers))

    def count(self) -> Counts:
        """Return the progress of all processes."""
        total = Counts()
        for worker in self._workers:
            total = total + worker.counts
        return total

    async def _do(self, step: Step) -> None:
        await asyncio.gather(*(worker.ask(Do(step)) for worker in self._workers))


class _Worker:
    """One worker process, as the run sees it."""

    def __init__(self, index: int, of: int) -> None:
        self.counts = Counts()
        self._index = index
        self._of = of
        self._process: asyncio.subprocess.Process | None = None
        self._written: IO[bytes] = tempfile.TemporaryFile()
        self._reading: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[Done | Found] | None = None

    async def start(self) -> None:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "isshoni.verify.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._written,
        )
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read(self._process.stdout))

    def send(self, message: ToWorker) -> None:
        """Send a message; a worker that has ended is found out by the next answer."""
        assert self._process is not None and self._process.stdin is not None
        with suppress(ConnectionError, RuntimeError):
            send(self._process.stdin, message)

    async def ask(self, message: Do | Collect) -> Done | Found:
        """Send a message and return its answer; raises `WorkerDied`."""
        assert self._reading is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.send(message)
        await asyncio.wait((self._answer, self._reading), return_when=asyncio.FIRST_COMPLETED)
        if self._answer.done():
            return self._answer.result()
        raise await self._describe_death()

    async def aclose(self) -> None:
        """End the process: it sees the end of its stdin."""
        if self._process is None:
            return
        await end_by_stdin(self._process, LEAVE_SECONDS)
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._written.close()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while (message := await read_from_worker(stream)) is not None:
            match message:
                case Counted(counts):
                    self.counts = counts
                case Done() | Found() if self._answer is not None:
                    self._answer.set_result(message)

    async def _describe_death(self) -> WorkerDied:
        assert self._process is not None
        exit_code = await self._process.wait()
        self._written.seek(0)
        written = self._written.read()[-_SHOWN_BYTES:].decode(errors="replace").strip()
        return WorkerDied(self._index, self._of, exit_code, written)
