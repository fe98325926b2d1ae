"""The client's copy of the canvas, and how much of it is known to be saved."""

import json
import weakref
from collections.abc import Callable
from typing import Any

import msgspec
from pycrdt import Doc, Map, TransactionEvent

from isshoni.client.errors import InvalidElement
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import MAX_FRAME_BYTES, PIECE_BYTES
from isshoni.session.split_update import split_update
from isshoni.session.sync import (
    SyncStep1,
    SyncUpdate,
    diff,
    make_step1,
    make_step2,
    make_update,
    parse_y_frame,
)
from isshoni.session.yjs_document import YjsDocument

ELEMENTS = "elements"
_FRAME_HEADER_BYTES = 16
"""Bytes of a frame besides the update: kind, step and length."""


class Canvas:
    """A Yjs document that is edited at any time and synchronised when it can be.

    On each connection nothing is sent before the server's step 1 is answered: that
    answer carries every edit made until then, so each frame that the server reports
    as saved covers all edits up to the one it was made for.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        refuse: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Call `send` with each frame, and `refuse` with the reason if a value is too large."""
        self._document = YjsDocument()
        self.doc: Doc[Any] = self._document.doc
        self._elements: Map[Any] = self.doc.get(ELEMENTS, type=Map)
        self._send = send
        self._refuse = refuse
        self._frame_bytes = MAX_FRAME_BYTES
        self._to_take_off: list[bytes] = []
        """Updates that delete values here that could not be sent."""
        self._in_sync = False
        self._merging = False
        self._edits = 0
        self._saved_edits = 0
        self._edits_at_frame: list[int] = []
        """For each frame with changes sent on this connection: the edits made by then."""
        _observe_weakly(self.doc, self._take_change)

    @property
    def elements(self) -> dict[str, Any]:
        """The elements on the canvas, by id."""
        elements: dict[str, Any] = self._elements.to_py() or {}
        return elements

    @property
    def unsaved_edits(self) -> int:
        """How many of our edits are not known to be in Redis."""
        return self._edits - self._saved_edits

    @property
    def is_in_sync(self) -> bool:
        """True once the server has sent what it has on this connection, and asked for ours."""
        return self._in_sync

    def draw(self, element_id: str, element: dict[str, Any]) -> None:
        """Put an element on the canvas, in place of the one with the same id."""
        self._elements[element_id] = _to_plain_json(element_id, element)

    def erase(self, element_id: str) -> None:
        """Remove an element from the canvas, if it is there."""
        if element_id in self._elements:
            del self._elements[element_id]

    def begin_sync(self, frame_bytes: int = MAX_FRAME_BYTES) -> bytes:
        """Begin on a new connection; its server accepts frames of up to `frame_bytes`.

        Returns the frame to send first.
        """
        self._frame_bytes = frame_bytes
        self._in_sync = False
        self._edits_at_frame.clear()
        return self._make_step1()

    def pause_sync(self) -> None:
        """Keep edits until the next connection."""
        self._in_sync = False

    def take_frame(self, frame: bytes, *, is_current: bool) -> None:
        """Apply a binary frame; only the current connection's step 1 is answered."""
        while self._to_take_off:
            self._merge(self._to_take_off.pop())
        match parse_y_frame(frame):
            case SyncStep1(state) if is_current:
                self._answer(state)
            case SyncUpdate(update):
                self._merge(update)

    def take_saved(self, frames: int) -> None:
        """Record that the first `frames` frames with changes are in Redis."""
        if not 0 <= frames <= len(self._edits_at_frame):
            raise ProtocolError(
                "bad_message", f"saved: {frames} updates of {len(self._edits_at_frame)} sent"
            )
        if frames:
            self._saved_edits = max(self._saved_edits, self._edits_at_frame[frames - 1])

    def _answer(self, state: bytes) -> None:
        update = self._diff(state)
        self._in_sync = True
        if not SyncUpdate(update).carries_changes:
            # The server lacks nothing, and its document holds only what is saved.
            self._saved_edits = self._edits
            self._send(make_step2(update))
        else:
            self._send_changes(update, make_step2)

    def _send_changes(self, update: bytes, make_last: Callable[[bytes], bytes]) -> None:
        """Send an update in one or more frames; only the last one counts its edits as sent."""
        pieces = split_update(update, PIECE_BYTES, self._frame_bytes - _FRAME_HEADER_BYTES)
        *earlier, last = pieces.updates
        before = self._edits_at_frame[-1] if self._edits_at_frame else self._saved_edits
        self._edits_at_frame += [before] * len(earlier) + [self._edits]
        for piece in earlier:
            self._send(make_update(piece))
        self._send(make_last(last))
        if pieces.too_large:
            # Deleted later, at the next frame: Yjs is in the middle of a change.
            self._to_take_off.append(pieces.make_deletion())
            largest = max(len(one.encoded) for one in pieces.too_large)
            self._refuse(
                f"a value of {largest} bytes was removed from the canvas: the server accepts "
                f"{self._frame_bytes} bytes in a frame at most; make it smaller"
            )

    def _make_step1(self) -> bytes:
        return make_step1(self.doc)

    def _diff(self, state: bytes) -> bytes:
        """Return what a server at `state` lacks."""
        return diff(self.doc, state)

    def _merge(self, update: bytes) -> None:
        self._merging = True
        try:
            self._document.apply(update)
        finally:
            self._merging = False

    def _take_change(self, event: TransactionEvent) -> None:
        if self._merging:
            return
        self._document.record_own(event.update)
        self._edits += 1
        if self._in_sync:
            self._send_changes(event.update, make_update)


def _observe_weakly(doc: Doc[Any], method: Callable[[TransactionEvent], None]) -> None:
    """Call a method with each change of a document as long as the method's object is in use.

    pycrdt keeps an observer, and the observed document with it, where Python's garbage
    collector does not look: both stay for ever unless the observer is removed.
    """
    reference = weakref.WeakMethod(method)

    def call(event: TransactionEvent) -> None:
        if (found := reference()) is not None:
            found(event)

    owner = method.__self__  # type: ignore[attr-defined]
    weakref.finalize(owner, doc.unobserve, doc.observe(call)).atexit = False


def _to_plain_json(element_id: str, element: dict[str, Any]) -> Any:
    """Copy an element as JSON has it; pycrdt panics on some of what is not."""
    try:
        element_id.encode()
        return json.loads(msgspec.json.encode(element), parse_int=_parse_int)
    except (TypeError, ValueError, RecursionError) as fault:
        raise InvalidElement(element_id, str(fault)) from None


def _parse_int(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{digits} does not fit in 64 bits")
    return number
