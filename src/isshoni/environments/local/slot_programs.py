"""Make the programs of the slots: command, environment, log and liveness check of each process."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.command_lines import fill_template
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.credentials import Credentials, read_encryption_keys
from isshoni.environments.local.executables import find_execution_fault
from isshoni.environments.local.port_allocation import PortBook, ProcessPorts
from isshoni.environments.local.process_names import AnyProgram, SideProgram, SlotProcess
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.local.region import Region
from isshoni.environments.local.releases import ReleaseStore
from isshoni.environments.local.variables import VariableStore
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour, Release

_HOST = "127.0.0.1"
_OF_THE_PLACE = {
    "ISSHONI_HOST",
    "ISSHONI_PORT",
    "ISSHONI_ADMIN_HOST",
    "ISSHONI_ADMIN_PORT",
    "ISSHONI_PROCESS",
}
"""Variables not compared: these settings are in the command line, or in the installation."""
_OF_ONE_SERVER = ("ISSHONI_PORT", "ISSHONI_ADMIN_HOST", "ISSHONI_ADMIN_PORT")
"""Variables that a side program does not get."""


@dataclass(frozen=True)
class SlotSettings:
    """The settings that every program on a slot gets."""

    config: LocalConfig
    ports: Ports
    credentials: Credentials
    redis_url: str
    region: Region | None = None
    """The region of the environment; None: it has no regions."""


class SlotPrograms:
    """Makes the program of each process of the slots."""

    def __init__(
        self, settings: SlotSettings, ports: PortBook, files: ProgramFiles, releases: ReleaseStore
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._files = files
        self._releases = releases
        self.variables = VariableStore(
            settings.config.state_dir, settings.credentials.ticket_secret
        )

    def make(self, process: SlotProcess, release: Release, count: int) -> Program:
        """Return the program of one of the `count` processes of a slot."""
        installed = self._releases.locate(release)
        if release.command is None:
            command = [str(installed.python), "-m", "isshoni.backend"]
        else:
            command = fill_command(release, process, self._ports.of(process))
        env = {
            **(_copy_environment() if release.command else {}),
            **self.environment(process, release),
            **installed.env,
            **self.variables.read(release),
        }
        return Program(
            command=installed.resolve(command, env),
            env=env,
            cwd=str(installed.directory) if installed.directory else None,
            log=str(self._files.log_path(process.program)),
            stop_seconds=self._settings.config.stop_seconds,
            label=msgspec.json.encode(release).decode(),
            pulse=self.pulse(process, release),
            hang_seconds=self._settings.config.hang_seconds,
            spare=release.command is None and self._settings.config.warm_spare,
            processes=1 if process.number else count,
        )

    def make_side_program(self, side: SideProgram, release: Release) -> Program:
        """Return the program of a slot that runs beside the one that serves it."""
        installed = self._releases.locate(release)
        command = self._fill_side_command(side, release)
        env = {
            **_copy_environment(),
            **self.side_environment(side, release),
            **installed.env,
            **self.variables.read(release),
        }
        return Program(
            command=installed.resolve(command, env),
            env=env,
            cwd=str(installed.directory) if installed.directory else None,
            log=str(self._files.log_path(side.program)),
            stop_seconds=self._settings.config.stop_seconds,
            label=msgspec.json.encode(release).decode(),
        )

    def _fill_side_command(self, side: SideProgram, release: Release) -> list[str]:
        template = dict(release.side_programs)[side.side]
        values: dict[str, object] = {
            "host": _HOST,
            "colour": side.colour,
            "version": release.label,
            "port": self._ports.of_side_program(side) if "{port}" in template else "",
        }
        return fill_template(template, values)

    def check(self, release: Release) -> None:
        """Raise `ReleaseFault` if a command or a variable of a release cannot work."""
        if self._settings.region is not None and not release.speaks_admin_api:
            raise ReleaseFault(
                f"{release.label} runs by --command, without an admin API, and cannot stand by: a "
                "failover could not move its users. Deploy it to an environment without regions"
            )
        first = SlotProcess("blue")
        forbidden = self.environment(first, release).keys() & set(release.variables)
        if release.command is not None:
            forbidden -= {"REDIS_URL", "PYTHONUNBUFFERED"}
            fill_command(release, first, self._ports.of(first))
        for side in list_side_programs(first.colour, release):
            self._fill_side_command(side, release)
        if forbidden:
            raise ReleaseFault(
                f"the variable {', '.join(sorted(forbidden))} cannot be set for a release: "
                "Isshoni sets it for each program"
            )
        if self._releases.is_installed(release):
            self._check_executables(release)

    def _check_executables(self, release: Release) -> None:
        first = SlotProcess("blue")
        programs = [] if release.command is None else [self.make(first, release, 1)]
        programs += [
            self.make_side_program(side, release)
            for side in list_side_programs(first.colour, release)
        ]
        for program in programs:
            search_path = program.env.get("PATH", os.defpath)
            directory = Path(program.cwd or "/")
            fault = find_execution_fault(program.command, directory, search_path)
            if fault is not None:
                raise ReleaseFault(f"{release.name} cannot be started: {fault}")

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
            "ISSHONI_EMBED_HOSTS": ",".join(settings.config.embed_hosts),
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
            **(settings.region.variables if settings.region else {}),
        }

    def side_environment(self, side: SideProgram, release: Release) -> dict[str, str]:
        """Return the variables of a side program."""
        shared = self.environment(SlotProcess(side.colour), release)
        own = {name: value for name, value in shared.items() if name not in _OF_ONE_SERVER}
        return {**own, "ISSHONI_PROCESS": side.program}

    def list_changed(self, process: SlotProcess, program: Program) -> list[str]:
        """Return the names of the settings that changed since a program was made.

        A setting that it was started without does not count: an upgrade restarts nothing.
        """
        release = release_of(program)
        new = self.environment(process, release)
        return self._compare(program, new, release)

    def _compare(self, program: Program, new: dict[str, str], release: Release) -> list[str]:
        if self._settings.config.session_encryption_key_file is None:
            # It comes from the environment of this command, which may lack it.
            del new["SESSION_ENCRYPTION_KEY"]
        return sorted(
            name
            for name in new.keys() & program.env.keys() - _OF_THE_PLACE - set(release.variables)
            if new[name] != program.env[name]
        )

    def renew(self, process: AnyProgram, program: Program) -> Program:
        """Return a program with the current settings."""
        release = release_of(program)
        if isinstance(process, SideProgram):
            new = self.side_environment(process, release)
        else:
            new = self.environment(process, release)
        changed = {name: new[name] for name in self._compare(program, dict(new), release)}
        return msgspec.structs.replace(program, env={**program.env, **changed})


def list_side_programs(colour: Colour, release: Release) -> Iterator[SideProgram]:
    """Yield the side programs of a release on a slot."""
    for name, _ in release.side_programs:
        yield SideProgram(colour, name)


def _copy_environment() -> dict[str, str]:
    """Return the variables of this process, for a program that is not Isshoni's own.

    The supervisor that starts it may have older ones, from another shell.
    """
    return {name: value for name, value in os.environ.items() if _is_text(name + value)}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def fill_command(release: Release, process: SlotProcess, ports: ProcessPorts) -> list[str]:
    """Return the command of a process, filled in; raises `ReleaseFault`."""
    assert release.command is not None
    values: dict[str, object] = {
        "host": _HOST,
        "port": ports.public,
        "admin_port": ports.admin,
        "colour": process.colour,
        "version": release.label,
    }
    return fill_template(release.command, values)


def release_of(program: Program) -> Release:
    """Return the release of a slot's program; raises `EnvironmentFault`."""
    try:
        return msgspec.json.decode(program.label, type=Release)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        raise EnvironmentFault(f"a slot's program file names no release: {fault}") from None
