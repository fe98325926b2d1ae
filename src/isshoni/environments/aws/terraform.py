"""Terraform as a program: run to its end, bounded, its provider processes never left behind."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from isshoni.environments.aws.errors import TerraformFault, explain_terraform
from isshoni.environments.aws.outputs import Outputs, read_outputs
from isshoni.environments.aws.terraform_plan import Change, read_changes

_INTERRUPT_SECONDS = 30.0
"""What it may take to let go of the state's lock once it is told to stop."""
_OUTPUT = "isshoni"


@dataclass(frozen=True)
class TerraformSettings:
    """How to run it, and where."""

    program: str
    folder: Path
    variables: Mapping[str, str]
    timeout_seconds: float


class Terraform:
    """One composition, with a state that it locks by itself while it changes anything."""

    def __init__(self, settings: TerraformSettings) -> None:
        self._settings = settings
        self._lock = f"-lock-timeout={settings.timeout_seconds:.0f}s"

    async def init(self) -> None:
        """Have providers, modules and the state at hand. Idempotent."""
        await self._run("init", "-input=false", "-no-color")

    async def output(self) -> Outputs:
        """Read what it made."""
        written = await self._run("output", "-json", "-no-color", _OUTPUT)
        return read_outputs(written, str(self._settings.folder))

    async def plan(self, variables: Mapping[str, str], file: Path) -> list[Change]:
        """Work out what `variables` would change; written to `file`, to be applied as it is."""
        given = {**self._settings.variables, **variables}
        words = [f"-var={name}={value}" for name, value in given.items()]
        await self._run("plan", "-input=false", "-no-color", self._lock, f"-out={file}", *words)
        return read_changes(await self._run("show", "-json", "-no-color", str(file)))

    async def apply(self, file: Path) -> None:
        """Make a plan true: just that one, and not if the state has changed since."""
        await self._run("apply", "-input=false", "-no-color", self._lock, str(file))

    async def _run(self, verb: str, *words: str) -> bytes:
        # Files, not pipes: if this process is killed, Terraform would die of SIGPIPE at its next
        # line, in the middle of a change, with the state locked and its providers left running.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = await self._wait_for_end(verb, *words, out=out, err=err)
            written, complaints = _read(out), _read(err)
        if code != 0:
            said = (complaints or written).decode(errors="replace")
            raise TerraformFault(verb, explain_terraform(said))
        return written

    async def _wait_for_end(
        self, verb: str, *words: str, out: IO[bytes], err: IO[bytes]
    ) -> int | None:
        process = await self._start_whole(verb, *words, out=out, err=err)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await process.wait()
        except TimeoutError:
            await _end(process)
            limit = self._settings.timeout_seconds
            raise TerraformFault(verb, f"it took over {limit:g} s and was stopped") from None
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(_end(process)))
            raise
        finally:
            _reap(process.pid)

    async def _start_whole(
        self, verb: str, *words: str, out: IO[bytes], err: IO[bytes]
    ) -> asyncio.subprocess.Process:
        """Start it, and end it as gently if that is cancelled: asyncio would kill it."""
        starting = asyncio.ensure_future(self._start(verb, *words, out=out, err=err))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(TerraformFault):
                process = await starting
                await _end(process)
                _reap(process.pid)
            raise

    async def _start(
        self, verb: str, *words: str, out: IO[bytes], err: IO[bytes]
    ) -> asyncio.subprocess.Process:
        settings = self._settings
        try:
            return await asyncio.create_subprocess_exec(
                settings.program,
                verb,
                *words,
                cwd=settings.folder,
                env={**os.environ, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # A group of its own: Ctrl-C in our terminal is ours to answer, and its
                # provider processes can be found after it.
                start_new_session=True,
            )
        except OSError as fault:
            raise TerraformFault(
                verb,
                f"cannot run {settings.program!r} in {settings.folder}: {fault.strerror} "
                "(install Terraform, or name it in `terraform_program`)",
            ) from None


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Have it stop after the change it is at and unlock its state; else kill it."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(_INTERRUPT_SECONDS):
            await process.wait()
    except TimeoutError:
        _reap(process.pid)
        await process.wait()


def _reap(group: int) -> None:
    """Kill what is left of a run's process group: providers outlive a killed Terraform."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def as_variable(value: object) -> str:
    """Write a value as Terraform reads it on its command line: JSON is HCL."""
    return msgspec.json.encode(value).decode()
