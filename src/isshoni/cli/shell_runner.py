"""Run any shell command during `isshoni verify`, as if it were a deploy."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from isshoni.verify.ports import COMMAND_PHASE, DeployReport, PhaseSpan

SUCCESS = "exit code 0"
STOP_SECONDS = 60.0
"""How long a command may take to end after Ctrl-C: one that deploys goes back first."""
LAST_LINES_SECONDS = 1.0
"""What a command left in the background may keep its output open for ever."""
MAX_LINE_BYTES = 1 << 20


class ShellRunner:
    """Runs a command with `sh -c`; its output goes to `show`, line by line."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    async def deploy(self, version: str) -> DeployReport:
        """Run the command `version` to its end; the outcome is its exit code."""
        began = time.time()
        async with self._showing_output() as output:
            process = await asyncio.create_subprocess_shell(
                version,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A group of its own: Ctrl-C is sent to it once, with all that it started.
                start_new_session=True,
            )
            os.close(output)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                raise
        return DeployReport(
            outcome=f"exit code {code}" if code >= 0 else f"signal {-code}",
            phases=(PhaseSpan(COMMAND_PHASE, began, time.time()),),
        )

    @asynccontextmanager
    async def _showing_output(self) -> AsyncIterator[int]:
        """Show what is written to the file descriptor that this yields."""
        reading, writing = os.pipe()
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb")
        )
        showing = asyncio.create_task(self._show_lines(reader))
        try:
            yield writing
        finally:
            await asyncio.wait([showing], timeout=LAST_LINES_SECONDS)
            showing.cancel()
            transport.close()

    async def _show_lines(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                self._show(f"(a line of more than {MAX_LINE_BYTES:,} bytes)")
                continue
            if not line:
                return
            self._show(line.decode(errors="replace").rstrip())


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Send Ctrl-C's signal to the command and all that it started, and wait for its end."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
                return
