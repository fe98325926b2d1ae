"""The canvas of a lean user: what it was sent is kept, and put together only where it counts.

A full client merges each update into a document of its own; for the ten users of a session
that is the same work ten times. A lean user keeps a reference to each update instead, which
its session has once, and how much of each author it knows. Its document is built from just
these updates when the server lacks something, and at the end, for the ledger: so an update
that a single user was not sent is still missing from its canvas.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from pycrdt import (
    Decoder,
    Doc,
    Map,
    TransactionEvent,
    write_message,
    write_var_uint,
)

from isshoni.client.canvas import ELEMENTS, Canvas
from isshoni.session.errors import ProtocolError
from isshoni.session.sync import apply_update, diff
from isshoni.session.yjs_document import YjsDocument
from isshoni.session.yjs_structs import SKIP, read_update

CanvasState = dict[int, int]
"""For each author of a Yjs document, the clock up to which every update is known."""
FOLD_ABOVE = 2000
"""A user's updates above this number are merged into one, so that a long run stays small."""


class KeptUpdate:
    """One update, shared by all users of a session who were sent the same bytes."""

    __slots__ = ("__weakref__", "encoded", "ranges")

    def __init__(self, encoded: bytes) -> None:
        """Read what is in an update; raises `ProtocolError`."""
        self.encoded = encoded
        self.ranges = _read_ranges(encoded)


class SessionUpdates:
    """All updates that the lean users of one session were sent or made, each once."""

    def __init__(self) -> None:
        self._kept: WeakValueDictionary[bytes, KeptUpdate] = WeakValueDictionary()
        self._last_built: tuple[frozenset[KeptUpdate], Doc[Any]] | None = None

    def keep(self, encoded: bytes) -> KeptUpdate:
        """Return the update with these bytes; raises `ProtocolError` if it is none."""
        kept = self._kept.get(encoded)
        if kept is None:
            kept = self._kept[encoded] = KeptUpdate(encoded)
        return kept

    def build(self, updates: Sequence[KeptUpdate]) -> Doc[Any]:
        """Return a document of just these updates; users who have the same ones share it."""
        wanted = frozenset(updates)
        if self._last_built is None or self._last_built[0] != wanted:
            self._last_built = (wanted, _build(updates))
        return self._last_built[1]


def _build(updates: Sequence[KeptUpdate]) -> Doc[Any]:
    if _has_hole(updates):
        document = YjsDocument()
        for update in updates:
            document.apply(update.encoded)
        return document.doc
    doc: Doc[Any] = Doc()
    with doc.transaction():
        for update in updates:
            apply_update(doc, update.encoded)
    return doc


def _has_hole(updates: Iterable[KeptUpdate]) -> bool:
    """True if any update came before an earlier one of its author."""
    known: CanvasState = {}
    for update in updates:
        for author, first, end in update.ranges:
            if first > known.get(author, 0):
                return True
            known[author] = max(end, known.get(author, 0))
    return False


class LeanCanvas(Canvas):
    """Sends and saves as a client's canvas does; its `doc` has only the user's own edits."""

    def __init__(
        self,
        session: SessionUpdates,
        send: Callable[[bytes], None],
        refuse: Callable[[str], None] = lambda reason: None,
    ) -> None:
        super().__init__(send, refuse)
        self._session = session
        self._updates: list[KeptUpdate] = []
        self._state: CanvasState = {}
        self._ahead: list[tuple[int, int, int]] = []
        """Ranges behind a hole."""

    @property
    def elements(self) -> dict[str, Any]:
        """The elements on the canvas, by id."""
        elements: dict[str, Any] = self._build().get(ELEMENTS, type=Map).to_py() or {}
        return elements

    @property
    def state(self) -> CanvasState:
        """For each author, the clock up to which this user has every update."""
        return self._state

    @property
    def updates(self) -> frozenset[KeptUpdate]:
        """What this user was sent or made; users with the same updates have the same canvas."""
        return frozenset(self._updates)

    def take_frame(self, frame: bytes, *, is_current: bool) -> None:
        """Keep an update; handle other frames as a client's canvas does."""
        update = None if self._to_take_off else _cut_short_update(frame)
        if update is None:
            super().take_frame(frame, is_current=is_current)
        else:
            self._merge(update)

    def _build(self) -> Doc[Any]:
        return self._session.build(self._updates)

    def _make_step1(self) -> bytes:
        return b"\0\0" + write_message(encode_state(self._state))

    def _diff(self, state: bytes) -> bytes:
        theirs = decode_state(state)
        lacks = {author for author, clock in self._state.items() if theirs.get(author, 0) < clock}
        own = decode_state(self.doc.get_state()).keys()
        return diff(self.doc if lacks <= own else self._build(), state)

    def _merge(self, update: bytes) -> None:
        if update != b"\0\0":
            self._keep(update)

    def _take_change(self, event: TransactionEvent) -> None:
        self._keep(event.update)
        super()._take_change(event)

    def _keep(self, encoded: bytes) -> None:
        kept = self._session.keep(encoded)
        self._updates.append(kept)
        self._advance(kept.ranges)
        if len(self._updates) > FOLD_ABOVE and not self._ahead:
            self._updates = [self._session.keep(self._build().get_update())]

    def _advance(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        state = self._state
        for one in ranges:
            author, first, end = one
            known = state.get(author, 0)
            if first > known:
                self._ahead.append(one)
            elif end > known:
                state[author] = end
                if self._ahead:
                    later, self._ahead = self._ahead, []
                    self._advance(later)


def _cut_short_update(frame: bytes) -> bytes | None:
    """Return the update in a well-formed update frame of up to 16 kB; None for any other frame.

    Most frames are that, and reading their headers with pycrdt costs more than the rest.
    """
    if frame[:2] != b"\0\2" or len(frame) < 4:
        return None
    length, start = frame[2], 3
    if length & 0x80:
        length, start = (length & 0x7F) | (frame[3] << 7), 4
        if frame[3] & 0x80:
            return None
    return frame[start:] if len(frame) - start == length else None


def encode_state(state: Mapping[int, int]) -> bytes:
    """Encode a state vector as Yjs does."""
    numbers = [len(state), *(number for pair in state.items() for number in pair)]
    return b"".join(map(write_var_uint, numbers))


def decode_state(encoded: bytes) -> CanvasState:
    """Decode a state vector: a count and that many (author, clock) pairs, in any order."""
    decoder = Decoder(encoded)
    try:
        return {
            decoder.read_var_uint(): decoder.read_var_uint() for _ in range(decoder.read_var_uint())
        }
    except (IndexError, RuntimeError):
        raise ProtocolError("bad_frame", "a state vector that Yjs cannot read") from None


def _read_ranges(encoded: bytes) -> tuple[tuple[int, int, int], ...]:
    """Return (author, first, end) of each run of clocks in an update."""
    found: list[tuple[int, int, int]] = []
    structs, _ = read_update(encoded)
    for struct in structs:
        if struct.kind == SKIP:
            continue
        end = struct.clock + struct.length
        if found and found[-1][0] == struct.client and found[-1][2] == struct.clock:
            found[-1] = (struct.client, found[-1][1], end)
        else:
            found.append((struct.client, struct.clock, end))
    return tuple(found)
