"""The ledger of the canvas: every edit, and what the documents hold at the end.

Each element belongs to one user, who alone writes it, with a version that grows:
a final document that shows less than the owner's saved version has lost an edit,
and no edit can be overwritten for a good reason.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

VERSION_FIELD = "version"
FRESH_READER = ""
"""In place of a user: a reader who joined after everything had settled."""


@dataclass(frozen=True)
class EditFindings:
    """Counts of edits, and the sessions whose users see different canvases."""

    sent: int
    saved: int
    lost: int
    diverged_sessions: tuple[str, ...]
    foreign: int = 0
    """Elements that no synthetic user of the session drew."""


@dataclass(slots=True)
class _Artist:
    session_id: str
    drawn: list[tuple[str, int]] = field(default_factory=list)
    saved: int = 0


class EditLedger:
    """Records what synthetic users drew; knows a document by its digest."""

    def __init__(self) -> None:
        self._artists: list[_Artist] = []
        self._digests: dict[str, dict[str, bytes]] = {}
        self._digest_of: dict[tuple[str, Hashable], bytes] = {}
        self._versions: dict[str, dict[str, int]] = {}
        self._elements: dict[str, set[str]] = {}
        """Session → ids of the elements that its users drew."""
        self._drawn = 0
        self._saved = 0

    def add_user(self, session_id: str) -> int:
        """Add a user; return the number that stands for it from here on."""
        self._artists.append(_Artist(session_id))
        return len(self._artists) - 1

    def record_drawn(self, user: int, element_id: str, version: int) -> None:
        """Record that a user wrote `version` of an element of their own."""
        artist = self._artists[user]
        artist.drawn.append((element_id, version))
        self._elements.setdefault(artist.session_id, set()).add(element_id)
        self._drawn += 1

    def record_saved(self, user: int, edits: int) -> None:
        """Record that a user's first `edits` edits are safe; fewer than before changes nothing."""
        artist = self._artists[user]
        saved = max(artist.saved, min(edits, len(artist.drawn)))
        self._saved += saved - artist.saved
        artist.saved = saved

    def record_final(self, session_id: str, reader: str, elements: Mapping[str, Any]) -> None:
        """Record the whole canvas as one user, or a fresh reader, sees it at the end."""
        self._digests.setdefault(session_id, {})[reader] = _digest(elements)
        if reader == FRESH_READER:
            self._versions[session_id] = {
                element_id: _version_of(element) for element_id, element in elements.items()
            }

    def record_final_of(
        self,
        session_id: str,
        reader: str,
        origin: Hashable,
        read_elements: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Record a whole canvas that follows from `origin`; it is read once for each origin."""
        key = (session_id, origin)
        if key not in self._digest_of:
            self._digest_of[key] = _digest(read_elements())
        self._digests.setdefault(session_id, {})[reader] = self._digest_of[key]

    def drawn_by(self, user: int) -> int:
        """Return how many edits a user has made."""
        return len(self._artists[user].drawn)

    @property
    def saved(self) -> int:
        """How many edits are safe."""
        return self._saved

    def everything_saved(self) -> bool:
        """True if every edit is safe."""
        return self._saved == self._drawn

    def judge(self) -> EditFindings:
        """Compare what was saved with the final documents."""
        return EditFindings(
            sent=self._drawn,
            saved=self._saved,
            lost=sum(self._count_lost(artist) for artist in self._artists),
            diverged_sessions=tuple(
                session_id
                for session_id, digests in self._digests.items()
                if len(set(digests.values())) > 1
            ),
            foreign=sum(
                len(versions.keys() - self._elements.get(session_id, set()))
                for session_id, versions in self._versions.items()
            ),
        )

    def _count_lost(self, artist: _Artist) -> int:
        held = self._versions.get(artist.session_id)
        if held is None:
            return 0
        saved = artist.drawn[: artist.saved]
        return sum(held.get(element_id, 0) < version for element_id, version in saved)


def _digest(elements: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(msgspec.json.encode(elements, order="deterministic")).digest()


def _version_of(element: object) -> int:
    version = element.get(VERSION_FIELD, 0) if isinstance(element, dict) else 0
    return int(version) if isinstance(version, (int, float)) else 0
