"""The processes that stock clients run in, and the errors of their end."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

import msgspec
import psutil

from isshoni.errors import IsshoniError
from isshoni.verify.child_process import end_by_stdin
from isshoni.verify.stock.orders import Order, Plan

LEAVE_SECONDS = 5.0
MAX_LINE_BYTES = 64 << 20
_SHOWN_BYTES = 2000


class ClientsDied(IsshoniError):
    """A process of stock clients ended before the run was over."""

    def __init__(self, command: Sequence[str], exit_code: int | None, written: str) -> None:
        how = f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else "an error"
        super().__init__(
            f"a process of stock clients (`{' '.join(command)}`) was ended by {how} before the run "
            "was over; what its clients saw is unknown, so there is no result"
            + (f": {written}" if written else "")
        )


class ClientProcess:
    """One process of stock clients, driven over its stdin and stdout."""

    def __init__(self, command: Sequence[str], on_line: Callable[[bytes], None]) -> None:
        self._command = command
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._written: IO[bytes] = tempfile.TemporaryFile()
        self._reading: asyncio.Task[None] | None = None

    async def start(self, plan: Plan) -> None:
        """Start the process, and let its clients connect."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._written,
            limit=MAX_LINE_BYTES,
        )
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read(self._process.stdout))
        self._write(plan)

    def order(self, order: Order) -> None:
        """Send an order."""
        self._write(order)

    async def check(self) -> None:
        """Raise `ClientsDied` if the process has ended, or what reading its reports raised."""
        if self._reading is None or not self._reading.done():
            return
        self._reading.result()
        assert self._process is not None
        exit_code = await self._process.wait()
        self._written.seek(0)
        written = self._written.read()[-_SHOWN_BYTES:].decode(errors="replace").strip()
        raise ClientsDied(self._command, exit_code, written)

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""
        assert self._process is not None
        with suppress(psutil.Error):
            times = psutil.Process(self._process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    async def aclose(self) -> None:
        """End the process: it sees the end of its stdin."""
        if self._process is None:
            return
        await end_by_stdin(self._process, LEAVE_SECONDS)
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._written.close()

    def _write(self, message: Plan | Order) -> None:
        assert self._process is not None and self._process.stdin is not None
        with suppress(ConnectionError, RuntimeError):  # `check` finds out that it has ended
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            if not line.endswith(b"\n"):
                return  # It was killed in the middle of a line.
            self._on_line(line)
