"""The document of a small canvas: a Yjs document that is given every update."""

from typing import Any

import pycrdt

from isshoni.backend.live.cut_characters import Pairs
from isshoni.session.server.yjs_update import EMPTY_STATE, check_state, translate_yjs_fault
from isshoni.session.sync import make_step2


class SmallDocument:
    """The Yjs document of a log, changed by entries of the log only.

    After a method has raised `BrokenUpdate` the document must not be used any more: a panic
    inside yrs can leave it half changed.
    """

    def __init__(self, pairs: Pairs | None = None) -> None:
        self.has_cut_character = False
        """True once an edit has cut a character in two. From then on its clocks and its encoding
        may be wrong: it must be loaded again before clients are answered from it."""
        self._pairs = pairs or Pairs()
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._whole: bytes | None = None

    def apply(self, update: bytes, seq: int = 0) -> None:
        """Apply an update; raises `BrokenUpdate`."""
        self.has_cut_character |= self._pairs.record(update)
        self.apply_mended(update)

    def apply_mended(self, update: bytes) -> None:
        """Apply an update from a log that `mend_log` has mended."""
        self._whole = None
        try:
            self._doc.apply_update(update)
        except BaseException as fault:
            raise translate_yjs_fault(fault) from None

    def state(self) -> bytes:
        """Return the state vector."""
        return self._doc.get_state()

    def updates(self) -> list[bytes]:
        """Return updates with all of the document."""
        return [self.encode_missing(EMPTY_STATE)]

    def frames_missing_at(self, state: bytes) -> list[bytes]:
        """Return the frames that answer a step 1, a step 2 last; raises `BrokenUpdate`."""
        return [make_step2(self.encode_missing(state))]

    def encode_missing(self, state: bytes) -> bytes:
        """Return one update with all that a document at `state` lacks; raises `BrokenUpdate`."""
        check_state(state)
        if state == EMPTY_STATE:
            if self._whole is None:
                self._whole = self._doc.get_update()
            return self._whole
        try:
            return self._doc.get_update(self._pairs.avoid_cuts(state))
        except BaseException as fault:
            raise translate_yjs_fault(fault) from None
