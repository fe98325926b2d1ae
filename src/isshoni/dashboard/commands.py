"""Run `isshoni` commands for the dashboard, in processes of their own that outlive it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from isshoni.engine.asked_by import VARIABLE
from isshoni.engine.errors import NothingToDo

PLAN_SECONDS = 60.0
"""The longest that a dry run may take: it may read a repository."""
_LAST_LINES = 12


@dataclass(frozen=True)
class Started:
    """A command that the dashboard started, and how it ended."""

    verb: str
    arguments: tuple[str, ...]
    who: str
    at: float
    exit_code: int | None = None
    """None: it runs."""
    last_lines: tuple[str, ...] = ()
    """What it wrote last; empty while it runs."""


class Commands(Protocol):
    """Starts `isshoni` commands, and remembers the last of them."""

    @property
    def last(self) -> Started | None:
        """The command that was started last; None if there was none."""

    async def start(self, verb: str, *arguments: str, who: str) -> None:
        """Start a command; raises `NothingToDo` while the one before has not ended."""

    async def plan(self, verb: str, *arguments: str) -> dict[str, Any]:
        """Return the result of a dry run; raises `NothingToDo` with what it says against it."""


class ProcessCommands:
    """`Commands` as processes: no shell, no terminal, output in a log named after the verb."""

    def __init__(
        self,
        prefix: Sequence[str],
        suffix: Sequence[str],
        logs: Path,
        environ: Mapping[str, str],
    ) -> None:
        self._prefix, self._suffix = prefix, suffix
        self._logs = logs
        self._environ = environ
        self._last: Started | None = None
        self._waiting: asyncio.Task[None] | None = None

    @property
    def last(self) -> Started | None:
        """The command that was started last; None if there was none."""
        return self._last

    async def start(self, verb: str, *arguments: str, who: str) -> None:
        """Start a command; raises `NothingToDo` while the one before has not ended."""
        if self._last is not None and self._last.exit_code is None:
            raise NothingToDo(f"`isshoni {self._last.verb}` is running: wait until it has ended")
        started = Started(verb, arguments, who, time.time())
        self._last = started  # before anything is awaited: a second request is refused
        try:
            process, log, since = await self._spawn(verb, arguments, who)
        except OSError as fault:
            self._last = replace(started, exit_code=-1, last_lines=(str(fault),))
            raise NothingToDo(f"`isshoni {verb}` could not be started: {fault}") from fault
        self._waiting = asyncio.create_task(self._wait(process, log, since))

    async def _spawn(
        self, verb: str, arguments: Sequence[str], who: str
    ) -> tuple[asyncio.subprocess.Process, Path, int]:
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._logs / f"{verb}.log"
        with path.open("ab") as log:
            since = log.tell()
            process = await asyncio.create_subprocess_exec(
                *self._prefix,
                verb,
                *self._suffix,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environ, VARIABLE: who},
                start_new_session=True,
            )
        return process, path, since

    async def _wait(self, process: asyncio.subprocess.Process, log: Path, since: int) -> None:
        code = await process.wait()
        assert self._last is not None
        self._last = replace(self._last, exit_code=code, last_lines=_read_last(log, since))

    async def plan(self, verb: str, *arguments: str) -> dict[str, Any]:
        """Return the result of a dry run; raises `NothingToDo` with what it says against it."""
        process = await asyncio.create_subprocess_exec(
            *self._prefix,
            verb,
            *self._suffix,
            *arguments,
            "--dry-run",
            "--json",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ,
        )
        try:
            written, said = await asyncio.wait_for(process.communicate(), PLAN_SECONDS)
        except BaseException as fault:
            if process.returncode is None:
                process.kill()
            if isinstance(fault, TimeoutError):
                raise NothingToDo(f"the dry run had no result in {PLAN_SECONDS:g} s") from None
            raise
        if process.returncode != 0:
            raise NothingToDo(_strip_frame(said.decode(errors="replace")))
        plan: dict[str, Any] = msgspec.json.decode(written)
        return plan


def _read_last(log: Path, since: int) -> tuple[str, ...]:
    try:
        with log.open("rb") as file:
            file.seek(since)
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())[-_LAST_LINES:]


def _strip_frame(said: str) -> str:
    """Return what a command wrote on stderr as one sentence, without the frame of its errors."""
    lines = (line.strip("│╭╮╰╯─ ") for line in said.splitlines())
    kept = [line for line in lines if line and not line.startswith(("Usage:", "Try ", "Error ─"))]
    return " ".join(line for line in kept if line != "Error")
