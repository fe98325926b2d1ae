"""Mend characters that an edit cut in two, before yrs decodes them.

Yjs measures text in UTF-16 units. An edit between the two units of a character beyond U+FFFF (most
emoji) turns each unit into U+FFFD, in every Yjs document that applies it. yrs (pycrdt) keeps the
character in one item and remembers that its length is one unit. But the length is not encoded, so
a reader of that item counts two. All later clocks of the author shift: a client that gets its
document from yrs misses the author's next edits, in any type, or fails. If both halves are U+FFFD
before they reach yrs, it has nothing to cut, and it shows and encodes the same as Yjs.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from msgspec import structs
from pycrdt import write_var_uint

from isshoni.backend.store.ports import CanvasLog
from isshoni.session.server.yjs_update import parse_state
from isshoni.session.yjs_structs import STRING, Id, Range, Struct, read_update, write_update
from isshoni.session.yjs_walk import BrokenUpdate, Walk

_HALF = "\ufffd"
may_hold_pairs = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}").search
"""Matches a character beyond U+FFFF in UTF-8, or bytes that look like one."""


class Pairs:
    """The two-unit characters in the texts of a document, by the id of the second unit."""

    def __init__(self, pairs: Collection[Id] = ()) -> None:
        self._pairs = set(pairs)

    def list(self) -> "list[Id]":
        """Return the ids of the second units."""
        return sorted(self._pairs)

    def record(self, update: bytes) -> bool:
        """Record the characters in a checked update; return True if it cuts one in two."""
        brings = _holds_pairs(update)
        if not (brings or self._pairs):
            return False
        structs, deleted = read_update(update)
        if brings:
            self._pairs.update(_find_pairs(structs))
        return any(place in self._pairs for place in _find_places(structs, deleted))

    def avoid_cuts(self, state: bytes) -> bytes:
        """Move a state vector back so that it ends between characters."""
        if not self._pairs:
            return state
        clocks = parse_state(state)
        moved = {of: at - ((of, at) in self._pairs) for of, at in clocks.items()}
        if moved == clocks:
            return state
        numbers = [len(moved), *(number for entry in moved.items() for number in entry)]
        return b"".join(map(write_var_uint, numbers))


def mend_log(log: CanvasLog) -> tuple[CanvasLog, Pairs]:
    """Return a copy of a log in which no edit cuts a character, and its whole characters.

    For Yjs its content and its clocks are the same. The stored log is not changed.
    """
    payloads = [log.snapshot or b"", *(entry.payload for entry in log.updates)]
    pairs: set[Id] = set()
    for payload in filter(_holds_pairs, payloads):
        pairs.update(_find_pairs(_read(payload)[0]))
    if not pairs:
        return log, Pairs()
    cut = {place for payload in payloads for place in _find_places(*_read(payload))} & pairs
    updates = [structs.replace(entry, payload=_mend(entry.payload, cut)) for entry in log.updates]
    snapshot = log.snapshot and _mend(log.snapshot, cut)
    return replace(log, snapshot=snapshot, updates=updates), Pairs(pairs - cut)


class _TextWalk(Walk):
    """Walks an update to find out whether its texts have a two-unit character."""

    __slots__ = ("found",)

    def __init__(self, update: bytes) -> None:
        super().__init__(update)
        self.found = False

    def single_content(self, kind: int) -> None:
        start = self._at
        super().single_content(kind)
        if kind == STRING and may_hold_pairs(self._data, start, self._at):
            self.found = True


def _holds_pairs(update: bytes) -> bool:
    """True if a text in an update has a two-unit character; most need no walk to tell."""
    if not may_hold_pairs(update):
        return False
    walk = _TextWalk(update)
    try:
        for _ in range(walk.count()):
            walk.structs()
    except BrokenUpdate:
        return False  # it is skipped, and logged, when it is applied
    return walk.found


def _read(update: bytes) -> tuple[list[Struct], list[Range]]:
    try:
        return read_update(update)
    except BrokenUpdate:
        return [], []


def _mend(update: bytes, cut: set[Id]) -> bytes:
    """Replace both halves of each cut character by U+FFFD; the length stays the same."""
    if not cut or not _holds_pairs(update):
        return update
    structs, deleted = _read(update)
    mended = [_mend_struct(struct, cut) for struct in structs]
    return write_update(mended, deleted) if mended != structs else update


def _mend_struct(struct: Struct, cut: set[Id]) -> Struct:
    if struct.kind != STRING or not may_hold_pairs(struct.content):
        return struct
    characters = list(struct.text)
    mended = False
    for at, place in _pairs_in(struct):
        if place in cut:
            characters[at] = _HALF + _HALF
            mended = True
    return struct.with_text("".join(characters)) if mended else struct


def _find_pairs(structs: list[Struct]) -> Iterator[Id]:
    for struct in structs:
        if struct.kind == STRING and may_hold_pairs(struct.content):
            yield from (place for _, place in _pairs_in(struct))


def _pairs_in(struct: Struct) -> Iterator[tuple[int, Id]]:
    """Yield each two-unit character: its place in the text, and its second unit."""
    clock = struct.clock
    for at, character in enumerate(struct.text):
        clock += 1
        if character > "\uffff":
            yield at, (struct.client, clock)
            clock += 1


def _find_places(structs: list[Struct], deleted: list[Range]) -> Iterator[Id]:
    """Yield the id of the unit after each place where Yjs cuts for this update."""
    for struct in structs:
        yield struct.client, struct.clock
        yield struct.client, struct.clock + struct.length
        if struct.origin is not None:
            yield struct.origin[0], struct.origin[1] + 1
        if struct.right_origin is not None:
            yield struct.right_origin
    for one in deleted:
        yield one.client, one.clock
        yield one.client, one.clock + one.length
