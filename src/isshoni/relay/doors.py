"""What is behind each door: the programs of a colour, and how their clients are handled.

A local environment writes it into a file, and replaces the file with each release that it starts.
So the relay needs no restart for a deploy, and finds what applies after a crash of either.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from isshoni.session.close_codes import CloseCode

Address = tuple[str, int]


class Door(msgspec.Struct, frozen=True, omit_defaults=True):
    """The programs of a colour, and how their clients are handled."""

    release: str = ""
    """Changes with what is started: an order for an earlier release does not apply to this one."""
    programs: tuple[Address, ...] = ()
    """Where its processes listen; none: the slot is empty."""
    evacuated: tuple[Address, ...] = ()
    """Those of them that get no new clients while another one is there."""
    profile: str = "plain"
    session_key: str = "path"
    preamble_messages: int = 0
    close_code: int = CloseCode.SERVICE_RESTART
    close_reason: str = ""
    """For clients that could not be moved when all must go."""

    def rank(self, key: str) -> list[Address]:
        """Return the processes, the one for this session first; each session has its own order.

        Without the evacuated ones, unless all of them are.
        """
        included = [each for each in self.programs if each not in self.evacuated]
        found = included or list(self.programs)
        if len(found) < 2:
            return found
        return sorted(found, key=lambda program: _weigh(program, key))

    def find(self, number: int) -> Address | None:
        """Return where the process of this number listens; None if there is none."""
        return self.programs[number] if number < len(self.programs) else None


def _weigh(program: Address, key: str) -> bytes:
    text = f"{program[0]}:{program[1]} {key}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Doors(Protocol):
    """Where the relay finds what is behind a door."""

    def of(self, colour: str) -> Door:
        """Return the programs of a colour as they are now."""


class FixedDoors:
    """Doors that never change."""

    def __init__(self, doors: Mapping[str, Door]) -> None:
        self._doors = dict(doors)

    def of(self, colour: str) -> Door:
        """Return the programs of a colour."""
        return self._doors[colour]


class DoorFile:
    """Doors in a file, which is read again once it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._doors: Mapping[str, Door] = {}
        self._seen: tuple[int, int, int] | None = None

    def of(self, colour: str) -> Door:
        """Return the programs of a colour; the last readable ones if the file is damaged."""
        seen = self._stat()
        if seen is not None and seen != self._seen:
            self._doors = read_doors(self._path) or self._doors
            self._seen = seen
        return self._doors.get(colour, Door())

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def read_doors(path: Path) -> dict[str, Door] | None:
    """Return what a file says of each colour; None if it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Door])
    except (OSError, msgspec.DecodeError, UnicodeError):
        return None
