"""The relay of a local environment: its processes, their ports, and the file of its doors.

The relay has the sockets of all clients, so no deploy may restart it. What changes with a release
is in the file, which the relay reads again. If the program itself changes, with the installed
version or its settings, a process of the new one continues with the sockets (proposal 046).
"""

import secrets
import sys
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from isshoni import __version__
from isshoni.environments.backend_api import HttpBackends
from isshoni.environments.http import NoAnswer, ask
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.envoy_doors import RelayDoor
from isshoni.environments.local.files import write_json
from isshoni.environments.local.port_allocation import PortBook, ProcessPorts
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.local.relay_names import RELAY, list_relays, name_relay
from isshoni.relay.doors import Address, Door, read_doors
from isshoni.rollout.model import COLOURS, Colour, Relaying, Release

HOST = "127.0.0.1"
RECENT_SECONDS = 3600.0
"""How long the end of a relay is reported."""


def describe_restarts(files: ProgramFiles) -> str | None:
    """Return which relay processes ended in the last hour, and how; None if none did.

    Their sockets end with them, so the clients had to reconnect.
    """
    found = (_describe_restart(files, name) for name in _list_names(files))
    return "; ".join(filter(None, found)) or None


def _list_names(files: ProgramFiles) -> list[str]:
    return [name_relay(number) for number in list_relays(files.names_wanted())] or [RELAY]


def _show(name: str) -> str:
    return "the relay" if name == RELAY else f"the relay process {name}"


def _describe_restart(files: ProgramFiles, name: str) -> str | None:
    seen = files.observed(name)
    if seen is None or not seen.restarts or seen.create_time is None:
        return None
    seconds = time.time() - seen.create_time
    if seconds > RECENT_SECONDS:
        return None
    return (
        f"{_show(name)} ended and was started again {seconds / 60:.0f} minutes ago: every "
        f"WebSocket that it had was cut, and clients had to reconnect ({seen.last_exit})"
    )


def describe_version(files: ProgramFiles) -> str | None:
    """Return which relay processes run that are not of this version; None if none does."""
    found = (_describe_version(files, name) for name in _list_names(files))
    return "; ".join(filter(None, found)) or None


def _describe_version(files: ProgramFiles, name: str) -> str | None:
    wanted, seen = files.wanted(name), files.observed(name)
    if wanted is None or seen is None:
        return None
    if seen.revision != wanted.revision:
        fault = f" ({seen.upgrade_fault})" if seen.upgrade_fault else ""
        return (
            f"{_show(name)} of isshoni {wanted.label} has not taken over from the one before it, "
            f"which keeps its sockets{fault}: look at the end of `isshoni logs {name}`"
        )
    if wanted.label != __version__:
        return (
            f"{_show(name)} is that of isshoni {wanted.label}, and {__version__} is installed: "
            "`isshoni up` and the next deploy replace it, and its sockets stay open"
        )
    return None


class LocalRelay:
    """Stores the relay's program, and what is behind each of its doors."""

    def __init__(
        self, config: LocalConfig, book: PortBook, files: ProgramFiles, admin_token: str
    ) -> None:
        self._config = config
        self._book = book
        self._files = files
        self._admin_token = admin_token
        self._path = config.state_dir / "relay" / "doors.json"

    @property
    def is_wanted(self) -> bool:
        """True if the relay should run."""
        return self._files.wanted(RELAY) is not None

    @property
    def numbers(self) -> list[int]:
        """Return the relay processes that should run, also those that get no new clients."""
        return list_relays(self._files.names_wanted())

    def ports_of(self, colour: Colour, number: int = 0) -> ProcessPorts:
        """Return the port of a colour's door at one relay process, and its admin port."""
        return self._book.of_relay(colour, number)

    def door_of(self, colour: Colour, session_key: str = "path") -> RelayDoor:
        """Return where new clients of a colour go: one port of each relay process."""
        numbers = range(self._config.relay_count)
        return RelayDoor(tuple(self.ports_of(colour, each).public for each in numbers), session_key)

    def admins_of(self, colour: Colour) -> dict[str, str]:
        """Return the URL of a colour's admin port at each relay process, by its name."""
        return {
            name_relay(number): f"http://{HOST}:{self.ports_of(colour, number).admin}"
            for number in self.numbers or [0]
        }

    def want(self) -> None:
        """Store that the relay of this version and of these settings should run.

        A process of another one is replaced by one that continues with its sockets. Processes that
        are too many keep running until they have no clients (`retire`).
        """
        running = self.numbers
        for number in range(self._config.relay_count):
            if number not in running:
                self._book.replace_taken_relay_ports(number)
        for number in sorted({*running, *range(self._config.relay_count)}):
            self._files.want(name_relay(number), self._make_program(number))

    async def retire(self, in_use: Iterable[RelayDoor]) -> None:
        """End the relay processes that are too many, get no new clients, and have none left."""
        ports = {port for door in in_use for port in door.ports}
        for number in self.numbers[::-1]:
            surplus = number >= self._config.relay_count
            gets_clients = any(self.ports_of(c, number).public in ports for c in COLOURS)
            if surplus and not gets_clients and await self._is_empty(number):
                self._files.unwant(name_relay(number))

    async def _is_empty(self, number: int) -> bool:
        """True if a relay process reports no clients; False if it does not answer."""
        for colour in COLOURS:
            url = f"http://{HOST}:{self.ports_of(colour, number).admin}"
            asked = HttpBackends({colour: url}, self._admin_token, lambda _: True)
            status = await asked.status(colour)
            if status is None or status.connections:
                return False
        return True

    def _make_program(self, number: int) -> Program:
        name, directory = name_relay(number), self._path.parent
        env = {
            "ISSHONI_HOST": HOST,
            "ISSHONI_ADMIN_TOKEN": self._admin_token,
            "ISSHONI_RELAY_FILE": str(self._path),
            "ISSHONI_RELAY_DIRECTORY": str(directory / name.replace(RELAY, "upgrade")),
            "ISSHONI_RELAY_TURNS": str(directory / "turns.lock"),
            "PYTHONUNBUFFERED": "1",
        }
        for colour in COLOURS:
            ports, prefix = self.ports_of(colour, number), f"ISSHONI_RELAY_{colour.upper()}"
            env |= {f"{prefix}_PORT": str(ports.public), f"{prefix}_ADMIN_PORT": str(ports.admin)}
        return Program(
            command=[sys.executable, "-m", "isshoni.relay"],
            env=env,
            log=str(self._files.log_path(name)),
            label=__version__,
            takes_over=True,
            stop_seconds=self._config.stop_seconds,
            pulse=f"http://{HOST}:{self.ports_of('blue', number).admin}/healthz",
            hang_seconds=self._config.hang_seconds,
        )

    async def find_trouble(self, colour: Colour, number: int = 0) -> str | None:
        """Return why a relay process does not listen at a colour's admin port; None if it does."""
        url = f"http://{HOST}:{self.ports_of(colour, number).admin}/healthz"
        try:
            await ask(url, timeout_seconds=2.0)
        except NoAnswer as fault:
            return str(fault)
        return None

    def write_door(
        self, colour: Colour, release: Release, programs: Sequence[Address], *, kept: bool
    ) -> None:
        """Store what is behind the door of a colour.

        With `kept` the release runs there already, and orders to move its clients still apply.
        """
        doors = dict(self._read())
        known = doors.get(colour, Door())
        name = known.release if kept and known.release else secrets.token_hex(8)
        relay = release.relay or Relaying()
        doors[colour] = Door(
            release=name,
            programs=tuple(programs),
            evacuated=known.evacuated if kept else (),
            profile=relay.profile,
            session_key=relay.session_key,
            preamble_messages=relay.preamble_messages,
            close_code=self._config.drain_close_code,
            close_reason=self._config.drain_close_reason,
        )
        self._write(doors)

    def mark_evacuated(self, colour: Colour, programs: Sequence[Address]) -> None:
        """Store which processes of a colour get no new clients; nothing if it has no door."""
        doors = dict(self._read())
        if colour in doors:
            doors[colour] = msgspec.structs.replace(doors[colour], evacuated=tuple(programs))
            self._write(doors)

    def clear_door(self, colour: Colour) -> None:
        """Store that nothing is behind the door of a colour."""
        doors = self._read()
        if colour in doors:
            self._write({name: door for name, door in doors.items() if name != colour})

    def _read(self) -> Mapping[str, Door]:
        return read_doors(self._path) or {}

    def _write(self, doors: Mapping[str, Door]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(self._path, dict(doors))
