"""Names of the relay's processes: `relay`, `relay-1`, …

Process 0 keeps the name, log and ports that the relay had while a machine had only one.
"""

import re
from collections.abc import Iterable

RELAY = "relay"
MAX_RELAYS = 32
_PATTERN = re.compile(rf"{RELAY}(?:-(\d{{1,2}}))?")


def name_relay(number: int) -> str:
    """Return the name of a relay process: of its program file, its log and its ports."""
    return f"{RELAY}-{number}" if number else RELAY


def parse_relay(name: str) -> int | None:
    """Return the number of the relay process that `relay-1` names; None for another text."""
    found = _PATTERN.fullmatch(name)
    if found is None or found[1] == "0":
        return None
    return int(found[1] or 0)


def list_relays(names: Iterable[str]) -> list[int]:
    """Return the numbers of the relay processes among the names of programs, in order."""
    numbers = (parse_relay(name) for name in names)
    return sorted(number for number in numbers if number is not None)
