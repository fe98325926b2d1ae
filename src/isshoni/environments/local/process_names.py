"""Names of the processes of a slot: `green-0`, `green-1`, …

Process 0 keeps the file, log and port of the slot's program (`green`), as before a slot could have
several.
"""

import re
from dataclasses import dataclass

from isshoni.rollout.model import COLOURS, Colour

MAX_PROCESSES = 32
_PATTERN = re.compile(rf"({'|'.join(COLOURS)})(?:-(\d{{1,2}}))?")


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


def list_processes(colour: Colour, count: int) -> list[SlotProcess]:
    """Return the first `count` processes of a slot."""
    return [SlotProcess(colour, number) for number in range(count)]


def parse_process(text: str) -> SlotProcess | None:
    """Return the process that `green-1` names (`green`: process 0); None for another text."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return None
    colour = next(colour for colour in COLOURS if colour == found[1])
    return SlotProcess(colour, int(found[2] or 0))
