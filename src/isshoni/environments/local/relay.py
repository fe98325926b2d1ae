"""The relay of a local environment: its program, its ports, and the file of its doors.

The relay has the sockets of all clients, so no deploy may restart it. What changes with a release
is in the file, which the relay reads again. If the program itself changes, with the installed
version or its settings, a process of the new one continues with the sockets (proposal 046).
"""

import secrets
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec

from isshoni import __version__
from isshoni.environments.http import NoAnswer, ask
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.files import write_json
from isshoni.environments.local.port_allocation import PortBook, ProcessPorts
from isshoni.environments.local.port_checks import RELAY
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.relay.doors import Address, Door, read_doors
from isshoni.rollout.model import COLOURS, Colour, Relaying, Release

HOST = "127.0.0.1"
RECENT_SECONDS = 3600.0
"""How long the end of a relay is reported."""


def describe_restarts(files: ProgramFiles) -> str | None:
    """Return how the relay ended in the last hour; None if it did not.

    Its sockets end with it, so their clients had to reconnect.
    """
    seen = files.observed(RELAY)
    if seen is None or not seen.restarts or seen.create_time is None:
        return None
    seconds = time.time() - seen.create_time
    if seconds > RECENT_SECONDS:
        return None
    return (
        f"the relay ended and was started again {seconds / 60:.0f} minutes ago: every WebSocket "
        f"that it had was cut, and clients had to reconnect ({seen.last_exit})"
    )


def describe_version(files: ProgramFiles) -> str | None:
    """Return which relay runs, if it is not that of this version; None if it is."""
    wanted, seen = files.wanted(RELAY), files.observed(RELAY)
    if wanted is None or seen is None:
        return None
    if seen.revision != wanted.revision:
        fault = f" ({seen.upgrade_fault})" if seen.upgrade_fault else ""
        return (
            f"the relay of isshoni {wanted.label} has not taken over from the one before it, which "
            f"keeps its sockets{fault}: look at the end of `isshoni logs relay`"
        )
    if wanted.label != __version__:
        return (
            f"the relay is that of isshoni {wanted.label}, and {__version__} is installed: "
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

    def ports_of(self, colour: Colour) -> ProcessPorts:
        """Return the port of a colour's door, and its admin port."""
        return self._book.of_relay(colour)

    def want(self) -> None:
        """Store that the relay of this version and of these settings should run.

        If another one runs, it is replaced by one that continues with its sockets.
        """
        if not self.is_wanted:
            self._book.replace_taken_relay_ports()
        self._files.want(RELAY, self._make_program())

    def _make_program(self) -> Program:
        env = {
            "ISSHONI_HOST": HOST,
            "ISSHONI_ADMIN_TOKEN": self._admin_token,
            "ISSHONI_RELAY_FILE": str(self._path),
            "ISSHONI_RELAY_DIRECTORY": str(self._path.parent / "upgrade"),
            "PYTHONUNBUFFERED": "1",
        }
        for colour in COLOURS:
            ports, name = self.ports_of(colour), f"ISSHONI_RELAY_{colour.upper()}"
            env |= {f"{name}_PORT": str(ports.public), f"{name}_ADMIN_PORT": str(ports.admin)}
        return Program(
            command=[sys.executable, "-m", "isshoni.relay"],
            env=env,
            log=str(self._files.log_path(RELAY)),
            label=__version__,
            takes_over=True,
            stop_seconds=self._config.stop_seconds,
            pulse=f"http://{HOST}:{self.ports_of('blue').admin}/healthz",
            hang_seconds=self._config.hang_seconds,
        )

    async def find_trouble(self, colour: Colour) -> str | None:
        """Return why the relay does not listen at a colour's admin port; None if it does."""
        try:
            await ask(f"http://{HOST}:{self.ports_of(colour).admin}/healthz", timeout_seconds=2.0)
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
