"""Names of the processes of a slot: `green-0`, `green-1`, …, and of its side programs.

Process 0 keeps the file, log and port of the slot's program (`green`), as before a slot could have
several. A side program has the name that the configuration gives it: `green-worker`.
"""

import re
from dataclasses import dataclass

from isshoni.rollout.model import COLOURS, Colour

MAX_PROCESSES = 32
_PATTERN = re.compile(rf"({'|'.join(COLOURS)})(?:-(\d{{1,2}}))?")
SIDE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_SIDE_PATTERN = re.compile(rf"({'|'.join(COLOURS)})-({SIDE_NAME.pattern})")


@dataclass(frozen=True, order=True)
class SlotProcess:
    """One process of a slot."""

    colour: Colour
    number: int = 0

    @property
    def name(self) -> str:
        """Return the name that users, the balancer and tickets know it by."""
        return f"{self.colour}-{self.number}"

    @property
    def program(self) -> str:
        """Return the name of its program file and its log."""
        return self.name if self.number else self.colour


@dataclass(frozen=True, order=True)
class SideProgram:
    """A program that runs on a slot beside the one that serves it."""

    colour: Colour
    side: str
    """Its name in the configuration."""

    @property
    def program(self) -> str:
        """Return the name of its program file, its log and its port."""
        return f"{self.colour}-{self.side}"


AnyProgram = SlotProcess | SideProgram
"""A program of a slot."""


def list_processes(colour: Colour, count: int) -> list[SlotProcess]:
    """Return the first `count` processes of a slot."""
    return [SlotProcess(colour, number) for number in range(count)]


def parse_process(text: str) -> SlotProcess | None:
    """Return the process that `green-1` names (`green`: process 0); None for another text."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return None
    return SlotProcess(_as_colour(found[1]), int(found[2] or 0))


def parse_side_program(text: str) -> SideProgram | None:
    """Return the side program that `green-worker` names; None for another text."""
    found = _SIDE_PATTERN.fullmatch(text)
    return SideProgram(_as_colour(found[1]), found[2]) if found else None


def find_colour(program: str) -> Colour | None:
    """Return the slot of a program of any kind; None if it is no slot's."""
    found = parse_process(program) or parse_side_program(program)
    return found.colour if found else None


def _as_colour(text: str) -> Colour:
    return next(colour for colour in COLOURS if colour == text)
