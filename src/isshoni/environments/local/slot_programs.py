"""Make the programs of the slots: command, environment, log and liveness check of each process."""

import os
import shlex
import string
from dataclasses import dataclass

import msgspec

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.credentials import Credentials, read_encryption_keys
from isshoni.environments.local.port_allocation import PortBook, ProcessPorts
from isshoni.environments.local.process_names import SlotProcess
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.local.releases import ReleaseStore
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release

_HOST = "127.0.0.1"
_PLACEHOLDERS = ("host", "port", "admin_port", "colour", "version")
_OF_THE_PLACE = {
    "ISSHONI_HOST",
    "ISSHONI_PORT",
    "ISSHONI_ADMIN_HOST",
    "ISSHONI_ADMIN_PORT",
    "ISSHONI_PROCESS",
}
"""Variables not compared: these settings are in the command line, or in the installation."""


@dataclass(frozen=True)
class SlotSettings:
    """The settings that every program on a slot gets."""

    config: LocalConfig
    ports: Ports
    credentials: Credentials
    redis_url: str


class SlotPrograms:
    """Makes the program of each process of the slots."""

    def __init__(
        self, settings: SlotSettings, ports: PortBook, files: ProgramFiles, releases: ReleaseStore
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._files = files
        self._releases = releases

    def make(self, process: SlotProcess, release: Release, count: int) -> Program:
        """Return the program of one of the `count` processes of a slot."""
        installed = self._releases.locate(release)
        if release.command is None:
            command = [str(installed.python), "-m", "isshoni.backend"]
        else:
            command = fill_command(release, process, self._ports.of(process))
        return Program(
            command=installed.resolve(command),
            env={
                **_copy_environment(release),
                **self.environment(process, release),
                **installed.env,
            },
            cwd=str(installed.directory) if installed.directory else None,
            log=str(self._files.log_path(process.program)),
            stop_seconds=self._settings.config.stop_seconds,
            label=msgspec.json.encode(release).decode(),
            pulse=self.pulse(process, release),
            hang_seconds=self._settings.config.hang_seconds,
            spare=release.command is None and self._settings.config.warm_spare,
            processes=1 if process.number else count,
        )

    def pulse(self, process: SlotProcess, release: Release) -> str:
        """Return the URL of the liveness check of a process."""
        ports = self._ports.of(process)
        if release.speaks_admin_api:  # many clients at once do not fill this port
            return f"http://{_HOST}:{ports.admin}/healthz"
        return f"http://{_HOST}:{ports.public}{release.ready_path}"

    def environment(self, process: SlotProcess, release: Release) -> dict[str, str]:
        """Return the variables of a process."""
        settings, ports = self._settings, self._ports.of(process)
        return {
            "ISSHONI_VERSION": release.label,
            "ISSHONI_COLOUR": process.colour,
            "ISSHONI_PROCESS": process.name,
            "ISSHONI_HOST": _HOST,
            "ISSHONI_PORT": str(ports.public),
            "ISSHONI_ADMIN_HOST": _HOST,
            "ISSHONI_ADMIN_PORT": str(ports.admin),
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

    def list_changed(self, process: SlotProcess, program: Program) -> list[str]:
        """Return the names of the settings that changed since a program was made.

        A setting that it was started without does not count: an upgrade restarts nothing.
        """
        new = self.environment(process, release_of(program))
        if self._settings.config.session_encryption_key_file is None:
            # It comes from the environment of this command, which may lack it.
            del new["SESSION_ENCRYPTION_KEY"]
        return sorted(
            name
            for name in new.keys() & program.env.keys() - _OF_THE_PLACE
            if new[name] != program.env[name]
        )

    def renew(self, process: SlotProcess, program: Program) -> Program:
        """Return a program with the current settings."""
        new = self.environment(process, release_of(program))
        changed = {name: new[name] for name in self.list_changed(process, program)}
        return msgspec.structs.replace(program, env={**program.env, **changed})


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


def fill_command(release: Release, process: SlotProcess, ports: ProcessPorts) -> list[str]:
    """Return a command template split into words and filled in; no shell is involved.

    Raises `ReleaseFault` for an unknown placeholder.
    """
    assert release.command is not None
    values = {
        "host": _HOST,
        "port": ports.public,
        "admin_port": ports.admin,
        "colour": process.colour,
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


def release_of(program: Program) -> Release:
    """Return the release of a slot's program; raises `EnvironmentFault`."""
    try:
        return msgspec.json.decode(program.label, type=Release)
    except msgspec.DecodeError as fault:
        raise EnvironmentFault(f"a slot's program file names no release: {fault}") from None
