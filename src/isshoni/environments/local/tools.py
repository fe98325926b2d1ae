"""Run a tool and return its output."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LAST_LINES = 6


@dataclass(frozen=True)
class ToolResult:
    """The result and output of a tool."""

    ok: bool
    output: str
    """What it wrote to standard output."""
    complaints: str
    """What it wrote to standard error."""

    @property
    def last_lines(self) -> str:
        """Return the last lines of its output on one line, for an error message."""
        said = (self.complaints + "\n" + self.output).splitlines()
        return " | ".join([line.strip() for line in said if line.strip()][-_LAST_LINES:])


async def run_tool(
    command: list[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> ToolResult:
    """Run `command` to its end; kill it if the caller is cancelled."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # only the engine handles Ctrl-C and a closed terminal
        )
    except OSError as fault:
        return ToolResult(ok=False, output="", complaints=f"cannot run {command[0]}: {fault}")
    try:
        output, complaints = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return ToolResult(
        process.returncode == 0,
        output.decode(errors="replace"),
        complaints.decode(errors="replace"),
    )
