"""A Yjs document that updates may be given to in any order."""

from collections.abc import Iterable
from typing import Any

from pycrdt import Doc, merge_updates

from isshoni.session.clocks import Clocks
from isshoni.session.single_change import read_single_change
from isshoni.session.yjs_contents import Chunk, Contents
from isshoni.session.yjs_parts import encode_chunks, read_contents, squash_ranges
from isshoni.session.yjs_structs import Range, write_update
from isshoni.session.yjs_walk import BrokenUpdate

_NOTHING_DELETED = b"\0"


class YjsDocument:
    """A Yjs document, and what cannot be applied to it yet.

    yrs (pycrdt 0.14) keeps what comes before what it builds on, but it loses a part when it has
    to keep a second update, and when such a document is encoded and loaded. So yrs is given
    nothing too early: structs and deletions wait here until all that they build on is there.
    """

    def __init__(self, doc: "Doc[Any] | None" = None) -> None:
        self.doc: Doc[Any] = Doc() if doc is None else doc
        self._clocks = Clocks()
        self._early_deletions: list[Range] = []
        """Deletions of content that is not there."""

    def apply(self, update: bytes) -> None:
        """Apply an update now, or as soon as the document has what it builds on.

        Raises `BrokenUpdate`; after a panic inside yrs the document must not be used any more.
        """
        contents = read_single_change(update) or read_contents(update)
        if self._clocks.advance(contents.chunks):
            if self._has_all(contents.deleted):
                self._apply(update)
            else:
                self._apply(_join(contents.chunks))
                self._early_deletions += contents.deleted
        else:
            self._clocks.keep(contents.chunks)
            self._early_deletions += contents.deleted
        self._apply_ready(contents)

    def record_own(self, update: bytes) -> None:
        """Record a change that was made in the document itself."""
        contents = read_single_change(update) or read_contents(update)
        self._clocks.advance(contents.chunks)

    @property
    def missing(self) -> dict[int, int]:
        """By author: the first clock that is missing, although something builds on it."""
        return self._clocks.missing

    def waiting(self) -> list[bytes]:
        """Return updates with all that is not applied yet."""
        waiting = [encode_chunks([chunk]) for chunk in self._clocks.waiting]
        if self._early_deletions:
            waiting.append(write_update([], self._early_deletions))
        return waiting

    def encode(self, state: bytes = b"\0") -> bytes:
        """Return one update with what a document at `state` lacks, and all that waits."""
        lacking = self.doc.get_update(state)
        if not (self._clocks.waiting or self._early_deletions):
            return lacking
        contents = read_contents(lacking)
        deleted = squash_ranges((*contents.deleted, *self._early_deletions))
        structs = _join([*contents.chunks, *self._clocks.waiting])
        return structs[: -len(_NOTHING_DELETED)] + write_update([], deleted)[1:]

    def _has_all(self, deleted: Iterable[Range]) -> bool:
        return all([one.clock + one.length <= self._clocks.of(one.client) for one in deleted])

    def _apply_ready(self, contents: Contents) -> None:
        if self._clocks.waiting and (ready := self._clocks.pop_ready(contents.chunks)):
            self._apply(_join(ready))
        if self._early_deletions:
            ready_deletions = self._pop_known_deletions()
            if ready_deletions:
                self._apply(write_update([], ready_deletions))

    def _pop_known_deletions(self) -> list[Range]:
        known: list[Range] = []
        early: list[Range] = []
        for one in self._early_deletions:
            end = one.clock + one.length
            split = min(end, max(one.clock, self._clocks.of(one.client)))
            if split > one.clock:
                known.append(Range(one.client, one.clock, split - one.clock))
            if end > split:
                early.append(Range(one.client, split, end - split))
        self._early_deletions = early
        return known

    def _apply(self, update: bytes) -> None:
        try:
            self.doc.apply_update(update)
        except BaseException as fault:
            raise translate_yjs_fault(fault) from None


def _join(chunks: list[Chunk]) -> bytes:
    """Join structs to one update; not deletions, of which yrs loses some when it merges them."""
    if not chunks:
        return b"\0" + _NOTHING_DELETED
    return merge_updates(*(encode_chunks([chunk]) for chunk in chunks))


def translate_yjs_fault(fault: BaseException) -> Exception:
    """Return a `BrokenUpdate` for a fault of pycrdt; raise any other fault again.

    A panic inside pycrdt is a `BaseException`, not an `Exception`, and its class is not
    exported: its name identifies it.
    """
    if isinstance(fault, Exception) or type(fault).__name__ == "PanicException":
        return BrokenUpdate(f"an update that Yjs cannot apply: {fault!s:.80}")
    raise fault
