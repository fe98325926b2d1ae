"""The port `Compute` on one machine: the programs of the two slots, run by a supervisor."""

import asyncio
import os
import shlex
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.credentials import Credentials, read_encryption_keys
from isshoni.environments.local.logs import tail
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.local.releases import ReleaseStore
from isshoni.environments.local.supervision import ensure_supervisor
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, Release, SlotState, Stable

_HOST = "127.0.0.1"
_PLACEHOLDERS = ("host", "port", "admin_port", "colour", "version")
_OF_THE_PLACE = {"ISSHONI_HOST", "ISSHONI_PORT", "ISSHONI_ADMIN_HOST", "ISSHONI_ADMIN_PORT"}
"""Variables not compared: these settings are in the command line, or in the installation."""
_BEYOND_STOP_SECONDS = 10.0
"""What the kernel and the supervisor may take after SIGKILL on a busy machine."""


@dataclass(frozen=True)
class SlotSettings:
    """The settings that every program on a slot gets."""

    config: LocalConfig
    ports: Ports
    credentials: Credentials
    redis_url: str


class LocalCompute:
    """Starts and stops the programs of both slots through the supervisor."""

    def __init__(
        self,
        settings: SlotSettings,
        files: ProgramFiles,
        balancer: BalancerFiles,
        releases: ReleaseStore,
        list_stables: Callable[[], Iterable[Stable]],
    ) -> None:
        self._settings = settings
        self._files = files
        self._balancer = balancer
        self._releases = releases
        self._list_stables = list_stables

    async def resolve(self, release: Release) -> Release:
        """Return `release` with the current content id of its source."""
        return await self._releases.resolve(release)

    async def prepare(self, release: Release) -> None:
        """Install `release`, if needed; releases for a rollback stay installed."""
        if release.command is not None:
            fill_command(
                release, "blue", self._settings.ports
            )  # raises now for a wrong template, not at the start
        stables = await asyncio.to_thread(self._list_stables)
        before = [stable.release for stable in stables]
        await self._releases.install(release, self._directories_in_use(), before)

    async def start(self, colour: Colour, release: Release) -> None:
        """Make the supervisor start `release` on a slot.

        If the slot runs it already, its program is kept: the label may name other content
        by now.
        """
        # First the health check: it must not use the path of another release.
        self._balancer.write_ready_paths({colour: release.ready_path})
        if self.release_on(colour) != release:
            self._files.want(colour, self._program(colour, release))
        else:
            self._refresh_watch(colour, release)
        await ensure_supervisor(self._settings.config.state_dir)

    def _refresh_watch(self, colour: Colour, release: Release) -> None:
        program = self._read_wanted(colour)
        if program is not None:  # keep its revision, so that nothing restarts
            seconds, pulse = self._settings.config.hang_seconds, self._pulse(colour, release)
            changed = msgspec.structs.replace(program, hang_seconds=seconds, pulse=pulse)
            self._files.want(colour, changed)

    def list_changed_settings(self, colour: Colour) -> list[str]:
        """Return the names of a slot's settings that have changed since its program started.

        A setting that it was started without does not count: an upgrade restarts nothing.
        """
        program = self._read_wanted(colour)
        if program is None:
            return []
        new = self._environment(colour, _release_of(program))
        if self._settings.config.session_encryption_key_file is None:
            # It comes from the environment of this command, which may lack it.
            del new["SESSION_ENCRYPTION_KEY"]
        return sorted(
            name
            for name in new.keys() & program.env.keys() - _OF_THE_PLACE
            if new[name] != program.env[name]
        )

    def apply_settings(self, colour: Colour) -> None:
        """Restart the program of a slot with the current settings."""
        program = self._read_wanted(colour)
        if program is None:
            return
        new = self._environment(colour, _release_of(program))
        changed = {name: new[name] for name in self.list_changed_settings(colour)}
        env = {**program.env, **changed}
        self._files.want(colour, msgspec.structs.replace(program, env=env))

    async def stop(self, colour: Colour) -> None:
        """Make the supervisor stop the program of a slot, and wait until it has ended."""
        self._files.unwant(colour)
        await self.wait_until_gone(colour)

    async def wait_until_gone(self, name: str) -> None:
        """Wait until the program `name` has ended; raises `EnvironmentFault` if it does not."""
        state_dir = self._settings.config.state_dir
        running = self._files.observed(name)
        bound = max(self._settings.config.stop_seconds, running.stop_seconds if running else 0)

        async def gone() -> bool:
            await ensure_supervisor(state_dir)
            return self._files.observed(name) is None

        if not await wait_until(gone, bound + _BEYOND_STOP_SECONDS):
            raise EnvironmentFault(f"{name} still runs {bound:g} seconds after SIGTERM and SIGKILL")

    async def observe_slots(self) -> Mapping[Colour, SlotState]:
        """Return the state of both slots, from the wanted and the observed programs."""
        return {colour: self._observe(colour) for colour in COLOURS}

    def _observe(self, colour: Colour) -> SlotState:
        program, seen = self._read_wanted(colour), self._files.observed(colour)
        if program is None:
            return SlotState(running=seen is not None and seen.pid is not None)
        if seen is None or seen.revision != program.revision:
            return SlotState(release=_release_of(program))
        return SlotState(
            release=_release_of(program),
            running=seen.pid is not None,
            restarts=seen.restarts,
            last_exit=seen.last_exit,
        )

    def release_on(self, colour: Colour) -> Release | None:
        """Return the release that should run on a slot, if any."""
        program = self._read_wanted(colour)
        return _release_of(program) if program else None

    def _directories_in_use(self) -> list[Path]:
        programs = [self._read_wanted(colour) for colour in COLOURS]
        return [Path(program.cwd) for program in programs if program and program.cwd]

    def _read_wanted(self, colour: Colour) -> Program | None:
        try:
            return self._files.wanted(colour)
        except (msgspec.DecodeError, OSError) as fault:
            raise EnvironmentFault(f"programs/{colour}.json cannot be read: {fault}") from None

    async def tail_log(self, colour: Colour, lines: int) -> list[str]:
        """Return the last lines of a slot's log."""
        return tail(self._files.log_path(colour), lines)

    def log_path(self, colour: Colour) -> Path:
        """Return the path of a slot's log."""
        return self._files.log_path(colour)

    def _program(self, colour: Colour, release: Release) -> Program:
        installed = self._releases.locate(release)
        ports = self._settings.ports
        if release.command is None:
            command = [str(installed.python), "-m", "isshoni.backend"]
        else:
            command = fill_command(release, colour, ports)
        return Program(
            command=installed.resolve(command),
            env={
                **_copy_environment(release),
                **self._environment(colour, release),
                **installed.env,
            },
            cwd=str(installed.directory) if installed.directory else None,
            log=str(self._files.log_path(colour)),
            stop_seconds=self._settings.config.stop_seconds,
            label=msgspec.json.encode(release).decode(),
            pulse=self._pulse(colour, release),
            hang_seconds=self._settings.config.hang_seconds,
            spare=release.command is None and self._settings.config.warm_spare,
        )

    def _pulse(self, colour: Colour, release: Release) -> str:
        ports = self._settings.ports
        if release.speaks_admin_api:  # many clients at once do not fill this port
            return f"http://{_HOST}:{_admin_port(ports, colour)}/healthz"
        return f"http://{_HOST}:{_port(ports, colour)}{release.ready_path}"

    def _environment(self, colour: Colour, release: Release) -> dict[str, str]:
        settings = self._settings
        return {
            "ISSHONI_VERSION": release.label,
            "ISSHONI_COLOUR": colour,
            "ISSHONI_HOST": _HOST,
            "ISSHONI_PORT": str(_port(settings.ports, colour)),
            "ISSHONI_ADMIN_HOST": _HOST,
            "ISSHONI_ADMIN_PORT": str(_admin_port(settings.ports, colour)),
            "ISSHONI_ADMIN_TOKEN": settings.credentials.admin_token,
            "ISSHONI_TICKET_SECRET": settings.credentials.ticket_secret,
            "ISSHONI_TOKEN_KEYS": settings.credentials.token_keys,
            "ISSHONI_AUTH": "required" if settings.config.auth else "guest",
            "ISSHONI_ORIGINS": ",".join(settings.config.origins),
            "ISSHONI_TRUSTED_PROXIES": "1",
            "ISSHONI_DRAIN_SECONDS": f"{settings.config.stop_seconds * 2 / 3:g}",
            "REDIS_URL": settings.redis_url,
            "ISSHONI_REDIS_ACCEPT": ",".join(settings.config.redis_accept),
            "ISSHONI_SESSION_EXPIRY_DAYS": f"{settings.config.session_expiry_days:g}",
            "ISSHONI_MAX_SESSIONS_STORED": str(settings.config.max_sessions_stored),
            # Set even if empty: else the supervisor's own variable would be used.
            "SESSION_ENCRYPTION_KEY": read_encryption_keys(
                settings.config.session_encryption_key_file, os.environ
            ),
            "PYTHONUNBUFFERED": "1",
        }


def _copy_environment(release: Release) -> dict[str, str]:
    """Return the variables of this process, for a release with a command of its own.

    The supervisor that starts it may have older ones, from another shell.
    """
    if release.command is None:
        return {}
    return {name: value for name, value in os.environ.items() if _is_text(name + value)}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def fill_command(release: Release, colour: Colour, ports: Ports) -> list[str]:
    """Return a command template split into words and filled in; no shell is involved.

    Raises `ReleaseFault` for an unknown placeholder.
    """
    assert release.command is not None
    values = {
        "host": _HOST,
        "port": _port(ports, colour),
        "admin_port": _admin_port(ports, colour),
        "colour": colour,
        "version": release.label,
    }
    try:
        words = shlex.split(release.command)
        for word in words:
            _check_placeholders(word, release.command)
    except ValueError as fault:
        raise ReleaseFault(f"command {release.command!r} cannot be read: {fault}") from None
    if not words:
        raise ReleaseFault("command is empty: give a program and its arguments")
    return [word.format_map(values) for word in words]


def _check_placeholders(word: str, command: str) -> None:
    for _, name, form, conversion in string.Formatter().parse(word):
        if name is not None and (name not in _PLACEHOLDERS or form or conversion):
            known = ", ".join(f"{{{known}}}" for known in _PLACEHOLDERS)
            raise ReleaseFault(
                f"command {command!r}: {{{name}}} is not one of {known}; "
                "write {{ and }} for plain braces"
            )


def _release_of(program: Program) -> Release:
    try:
        return msgspec.json.decode(program.label, type=Release)
    except msgspec.DecodeError as fault:
        raise EnvironmentFault(f"a slot's program file names no release: {fault}") from None


def _port(ports: Ports, colour: Colour) -> int:
    return ports.blue if colour == "blue" else ports.green


def _admin_port(ports: Ports, colour: Colour) -> int:
    return ports.blue_admin if colour == "blue" else ports.green_admin
