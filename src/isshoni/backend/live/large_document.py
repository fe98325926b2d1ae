"""The document of a larger canvas, kept as the updates that it is made of.

A Yjs document of 20 MB takes 0.8 s to build and 0.2 s to drop, and the event loop waits for both.
Serving a canvas needs neither: a client that lacks something is sent the updates that have it.
"""

from collections.abc import Iterable

import pycrdt

from isshoni.backend.live.cut_characters import Pairs
from isshoni.backend.live.whole_canvas import OpenedLog, check_decodes
from isshoni.session.clocks import Clocks, Section
from isshoni.session.server.yjs_update import EMPTY_UPDATE, parse_state
from isshoni.session.sync import make_step2, make_update
from isshoni.session.yjs_parts import (
    PART_BYTES,
    Part,
    make_deletions,
    read_contents,
    squash_ranges,
)
from isshoni.session.yjs_structs import Range

MAX_WAITING = 10_000
"""Clocks of more chunks behind gaps are not followed: they would take long at every update."""


class _Later:
    """An update that came after the log was opened."""

    __slots__ = ("deleted", "sections", "seq", "update")

    def __init__(self, seq: int, update: bytes, sections: list[Section], deleted: list[Range]):
        self.seq, self.update, self.sections, self.deleted = seq, update, sections, deleted


class LargeDocument:
    """The parts of an opened log, and the updates after it."""

    def __init__(self, opened: OpenedLog) -> None:
        self.has_cut_character = False
        """True once an edit has cut a character in two: pycrdt must not be given the updates of
        this document from then on. Loading it again mends them."""
        self._pairs = Pairs(opened.pairs)
        sections = (section for part in opened.parts for section in part.sections)
        self._clocks = Clocks(sections, most_waiting=MAX_WAITING)
        self._parts = opened.parts
        self._deleted = opened.deleted
        self._later: list[_Later] = []
        self._deletions: list[bytes] | None = None

    def apply(self, update: bytes, seq: int) -> None:
        """Add an update; raises `BrokenUpdate`."""
        contents = read_contents(update)
        check_decodes(update)
        self.has_cut_character |= self._pairs.record(update)
        self._clocks.add(contents.chunks)
        sections = [(one.client, one.start, one.end) for one in contents.chunks]
        self._later.append(_Later(seq, update, sections, contents.deleted))
        if contents.deleted:
            self._deletions = None

    def replace(self, parts: list[Part], deleted: list[Range], upto: int) -> None:
        """Replace all updates up to a seq by the parts of a snapshot, if it has all of them.

        Otherwise they stay: after a failover the log may lack some, and this may be the only copy.
        """
        ends = _find_ends(section for part in parts for section in part.sections)
        before = [one for one in self._later if one.seq <= upto]
        sections = [section for part in self._parts for section in part.sections]
        sections += (section for one in before for section in one.sections)
        also_deleted = (*self._deleted, *(one for later in before for one in later.deleted))
        has_all = all(end <= ends.get(client, 0) for client, _, end in sections)
        if has_all and squash_ranges((*deleted, *also_deleted)) == deleted:
            self._parts, self._deleted, self._deletions = parts, deleted, None
            self._later = [one for one in self._later if one.seq > upto]

    def state(self) -> bytes:
        """Return the state vector."""
        return self._clocks.encode()

    @property
    def missing(self) -> dict[int, int]:
        """By author: the first clock that is missing, although something builds on it."""
        return self._clocks.missing

    def updates(self) -> list[bytes]:
        """Return updates that together are the whole document."""
        later = [one.update for one in self._later]
        return [*(part.update for part in self._parts), *later, *self._encode_deletions()]

    def frames_missing_at(self, state: bytes) -> list[bytes]:
        """Return the frames that answer a step 1, a step 2 last; raises `BrokenUpdate`.

        A client is sent every deletion: no state vector tells which ones it has.
        """
        clocks = parse_state(state)
        frames = [part.frame for part in self._parts if not part.is_known_at(clocks)]
        lacking = [
            one.update
            for one in self._later
            if any(end > clocks.get(client, 0) for client, _, end in one.sections)
        ]
        *deletions, last = self._encode_deletions() or [EMPTY_UPDATE]
        frames += map(make_update, (*_join_small(lacking), *deletions))
        return [*frames, make_step2(last)]

    def _encode_deletions(self) -> list[bytes]:
        if self._deletions is None:
            later = (one for later in self._later for one in later.deleted)
            self._deletions = make_deletions(squash_ranges((*self._deleted, *later)))
        return self._deletions


def _find_ends(sections: Iterable[Section]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for client, _, end in sections:
        ends[client] = max(end, ends.get(client, 0))
    return ends


def _join_small(updates: Iterable[bytes]) -> list[bytes]:
    """Join updates that follow one another into fewer ones, of up to `PART_BYTES`."""
    groups: list[list[bytes]] = []
    size = PART_BYTES
    for update in updates:
        if size + len(update) > PART_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(update)
        size += len(update)
    return [one for group in groups for one in _join(group)]


def _join(group: list[bytes]) -> list[bytes]:
    if len(group) == 1:
        return group
    return [pycrdt.merge_updates(*group)]
