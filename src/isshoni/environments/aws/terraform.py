"""Run Terraform with a timeout, and leave no provider process behind."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from isshoni.environments.aws.errors import TerraformFault, explain_terraform
from isshoni.environments.aws.state_locks import explain_held
from isshoni.environments.aws.terraform_plan import Change, Planned, read_plan

_INTERRUPT_SECONDS = 30.0
"""How long it may take to release the state's lock after SIGINT."""
_LOCK_SHARE = 0.9
"""The share of a run's time limit for which it may wait for the state's lock."""


@dataclass(frozen=True)
class TerraformSettings:
    """The program, folder, variables and time limit of the runs."""

    program: str
    folder: Path
    variables: Mapping[str, str]
    timeout_seconds: float
    backend: Mapping[str, str] = field(default_factory=dict)
    """Settings of the state's backend that the folder does not contain."""
    read_credentials: Callable[[], Mapping[str, str]] | None = None
    """Returns the variables with the credentials of a run; None: those of this process."""


class Terraform:
    """One composition; Terraform locks its state during a change."""

    def __init__(self, settings: TerraformSettings) -> None:
        self._settings = settings
        # Less than the whole time: Terraform must still be able to report who holds the lock.
        self._lock = f"-lock-timeout={settings.timeout_seconds * _LOCK_SHARE:.0f}s"

    async def init(self) -> None:
        """Download providers and modules, and connect to the state. Idempotent."""
        given = [
            f"-backend-config={name}={value}" for name, value in self._settings.backend.items()
        ]
        await self._run("init", "-input=false", "-no-color", *given)

    async def plan(self, variables: Mapping[str, str], file: Path) -> list[Change]:
        """Write a plan with these variables to `file`; return the changes in it."""
        return (await self._plan(variables, file, self._lock)).changes

    async def preview(self, variables: Mapping[str, str], file: Path) -> Planned:
        """Return a plan with these variables that nothing will apply: without the state's lock."""
        return await self._plan(variables, file, "-lock=false")

    async def _plan(self, variables: Mapping[str, str], file: Path, lock: str) -> Planned:
        given = {**self._settings.variables, **variables}
        words = [f"-var={name}={value}" for name, value in given.items()]
        await self._run("plan", "-input=false", "-no-color", lock, f"-out={file}", *words)
        return read_plan(await self._run("show", "-json", "-no-color", str(file)))

    async def apply(self, file: Path) -> None:
        """Apply exactly this plan; fails if the state has changed since it was made."""
        await self._run("apply", "-input=false", "-no-color", self._lock, str(file))

    async def _run(self, verb: str, *words: str) -> bytes:
        # Files, not pipes: if this process is killed, SIGPIPE would end Terraform at its next line,
        # in the middle of a change, with the state locked and its providers still running.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = await self._wait_for_end(verb, *words, out=out, err=err)
            written, complaints = _read(out), _read(err)
        if code != 0:
            said = (complaints or written).decode(errors="replace")
            explain_lock = partial(explain_held, self._settings.folder)
            raise TerraformFault(verb, explain_terraform(said, explain_lock))
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
        """Start it; if the start is cancelled, stop it with SIGINT: asyncio would kill it."""
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
        environ = await self._make_environ()
        try:
            return await asyncio.create_subprocess_exec(
                settings.program,
                verb,
                *words,
                cwd=settings.folder,
                env=environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # A group of its own: Ctrl-C in this terminal must not reach it, and its provider
                # processes can be found after its end.
                start_new_session=True,
            )
        except OSError as fault:
            raise TerraformFault(
                verb,
                f"cannot run {settings.program!r} in {settings.folder}: {fault.strerror} "
                "(install Terraform, or name it in `terraform_program`)",
            ) from None

    async def _make_environ(self) -> dict[str, str]:
        environ = {**os.environ, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        if self._settings.read_credentials is None:
            return environ
        environ.pop("AWS_PROFILE", None)  # it names the credentials that these replace
        # Fresh ones for each run: those of a role that a role assumed are valid for an hour.
        return {**environ, **await asyncio.to_thread(self._settings.read_credentials)}


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Send SIGINT, so that it finishes its current change and unlocks the state; else kill it."""
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
    """Return a value as Terraform reads it on its command line: JSON is valid HCL."""
    return msgspec.json.encode(value).decode()
