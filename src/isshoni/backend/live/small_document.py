"""The document of a small canvas: a Yjs document that is given every update."""

from isshoni.backend.live.cut_characters import Pairs
from isshoni.session.server.yjs_update import EMPTY_STATE, check_state
from isshoni.session.sync import make_step2, make_update
from isshoni.session.yjs_document import YjsDocument, translate_yjs_fault


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
        self._document = YjsDocument()
        self._whole: bytes | None = None

    def apply(self, update: bytes, seq: int = 0) -> None:
        """Apply an update; raises `BrokenUpdate`."""
        self.has_cut_character |= self._pairs.record(update)
        self.apply_mended(update)

    def apply_mended(self, update: bytes) -> None:
        """Apply an update from a log that `mend_log` has mended."""
        self._whole = None
        self._document.apply(update)

    def state(self) -> bytes:
        """Return the state vector."""
        return self._document.doc.get_state()

    @property
    def missing(self) -> dict[int, int]:
        """By author: the first clock that is missing, although something builds on it."""
        return self._document.missing

    def updates(self) -> list[bytes]:
        """Return updates with all of the document, and all that cannot be applied yet."""
        return [self._encode_missing(EMPTY_STATE), *self._document.waiting()]

    def frames_missing_at(self, state: bytes) -> list[bytes]:
        """Return the frames that answer a step 1, a step 2 last; raises `BrokenUpdate`."""
        # A client is sent what waits as well: of what it waits for, it is sent only that.
        waiting = map(make_update, self._document.waiting())
        return [*waiting, make_step2(self._encode_missing(state))]

    def _encode_missing(self, state: bytes) -> bytes:
        """Return one update with all that a document at `state` lacks; raises `BrokenUpdate`."""
        check_state(state)
        if state == EMPTY_STATE:
            if self._whole is None:
                self._whole = self._document.doc.get_update()
            return self._whole
        try:
            return self._document.doc.get_update(self._pairs.avoid_cuts(state))
        except BaseException as fault:
            raise translate_yjs_fault(fault) from None
