"""The rooms of the repository, the numbers that they may have, and the allowed exceptions."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.words.find import Hit, find_words

ROOT = Path(__file__).parents[2]
LIMITS = Path(__file__).parent / "limits.toml"
_SUFFIXES = frozenset({".py", ".ts", ".tsx", ".md", ".lua", ".html", ".css", ".j2"})
_GENERATED = frozenset({"static", "node_modules", "dist"})


@dataclass(frozen=True)
class Allowed:
    """Where a word of the list is the right one, and why."""

    path: str
    """A file, or a folder with all in it."""
    reason: str
    word: str = ""
    """Only this word; empty for every word."""
    text: str = ""
    """Only on lines with this text; empty for every line."""

    def covers(self, hit: Hit) -> bool:
        """True if a word is allowed by this entry."""
        return (
            (hit.path == self.path or hit.path.startswith(f"{self.path}/"))
            and self.word.lower() in ("", hit.word.lower())
            and self.text in hit.context
        )


@dataclass(frozen=True)
class Limits:
    """How many words each room may have, and which lines do not count."""

    rooms: Mapping[str, int]
    allowed: tuple[Allowed, ...]


def read_limits(path: Path = LIMITS) -> Limits:
    """Return the limits of a file."""
    tables = tomllib.loads(path.read_text())
    allowed = tuple(Allowed(**entry) for entry in tables.get("allowed", []))
    return Limits(tables["rooms"], allowed)


def room_of(path: str, rooms: Mapping[str, int]) -> str | None:
    """Return the innermost room of a file; None if it is in none."""
    around = [room for room in rooms if path == room or path.startswith(f"{room}/")]
    return max(around, key=len, default=None)


def find_hits(limits: Limits, root: Path = ROOT) -> dict[str, list[Hit]]:
    """Return the words to replace in every room, without the allowed ones."""
    hits: dict[str, list[Hit]] = {room: [] for room in limits.rooms}
    for top in sorted({room.split("/")[0] for room in limits.rooms}):
        start = root / top
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            path = str(file.relative_to(root))
            room = room_of(path, limits.rooms)
            if room is None or not _counts(file):
                continue
            found = find_words(path, file.read_text())
            hits[room] += [hit for hit in found if not _is_allowed(hit, limits.allowed)]
    return hits


def _counts(file: Path) -> bool:
    return file.suffix in _SUFFIXES and file.is_file() and not _GENERATED & set(file.parts)


def _is_allowed(hit: Hit, allowed: tuple[Allowed, ...]) -> bool:
    return any(entry.covers(hit) for entry in allowed)
