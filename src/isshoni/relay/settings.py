"""The settings of a relay process, from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isshoni.backend.errors import SettingsFault
from isshoni.backend.security.auth import MIN_SECRET_BYTES
from isshoni.backend.settings.environment_reader import COLOURS, EnvironmentReader
from isshoni.relay.core.profiles.names import AUTO
from isshoni.relay.core.session_key import parse_key_rule
from isshoni.rollout.model import PROFILES


@dataclass(frozen=True)
class DoorSettings:
    """One colour: the ports that the relay listens on, and the program behind it."""

    port: int
    admin_port: int
    program_host: str
    program_port: int


@dataclass(frozen=True)
class RelaySettings:
    """The settings of a relay process."""

    host: str
    admin_token: str
    doors: Mapping[str, DoorSettings]
    doors_file: Path | None
    """Says which programs are behind the doors, and replaces the rest; None: it never changes."""
    profile: str
    """What the relay knows of the program's protocol: one of `PROFILES`."""
    directory: Path | None
    """Where a newer relay finds this one, to take its sockets over; None: nowhere."""
    turns: Path | None
    """A file that the relays of a machine lock while one takes over; None: it waits for none."""
    preamble_messages: int
    """How many of a client's first messages are replayed, with the profile `plain`."""
    session_key: str
    """What the clients of one session share, as docs/profiles.md has it."""


def read_relay_settings(environment: Mapping[str, str]) -> RelaySettings:
    """Read all settings; raises `SettingsFault` with every fault."""
    reader = EnvironmentReader(environment)
    settings = RelaySettings(
        host=reader.text("ISSHONI_HOST", "127.0.0.1"),
        admin_token=reader.secret("ISSHONI_ADMIN_TOKEN", min_bytes=MIN_SECRET_BYTES),
        doors={colour: _read_door(reader, colour.upper()) for colour in COLOURS},
        doors_file=Path(file) if (file := reader.text("ISSHONI_RELAY_FILE", "")) else None,
        profile=reader.choice("ISSHONI_RELAY_PROFILE", AUTO, PROFILES),
        directory=Path(text) if (text := reader.text("ISSHONI_RELAY_DIRECTORY", "")) else None,
        turns=Path(text) if (text := reader.text("ISSHONI_RELAY_TURNS", "")) else None,
        preamble_messages=int(reader.number("ISSHONI_RELAY_PREAMBLE", 0, least=0, most=100)),
        session_key=_read_session_key(reader),
    )
    if reader.faults:
        raise SettingsFault(reader.faults)
    return settings


def _read_door(reader: EnvironmentReader, colour: str) -> DoorSettings:
    return DoorSettings(
        port=reader.port(f"ISSHONI_RELAY_{colour}_PORT", 0),
        admin_port=reader.port(f"ISSHONI_RELAY_{colour}_ADMIN_PORT", 0),
        program_host=reader.text(f"ISSHONI_RELAY_{colour}_PROGRAM_HOST", "127.0.0.1"),
        program_port=reader.port(f"ISSHONI_RELAY_{colour}_PROGRAM_PORT", 0),
    )


def _read_session_key(reader: EnvironmentReader) -> str:
    name = "ISSHONI_RELAY_SESSION_KEY"
    text = reader.text(name, "path")
    try:
        parse_key_rule(text)
    except ValueError as fault:
        reader.faults.append(f"{name}: {fault}")
    return text
