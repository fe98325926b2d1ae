"""A session's canvas: a Yjs document that follows the canvas log."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pycrdt

from isshoni.backend.live.canvas_worker import erasure_apart, measure_log, snapshot_apart
from isshoni.backend.live.cut_characters import Pairs, mend_log
from isshoni.backend.live.log_size import LogSize
from isshoni.backend.live.whole_canvas import make_snapshot
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import CanvasLog, CanvasStore, Entry
from isshoni.backend.tasks import start_once
from isshoni.session.server.yjs_update import (
    EMPTY_STATE,
    check_state,
    check_update,
    translate_yjs_fault,
)
from isshoni.session.yjs_walk import BrokenUpdate

COMPACT_AFTER_UPDATES = 500
BIG_UPDATE_BYTES = 32 * 1024
_PAUSE_FACTOR = 4.0
"""A compaction is followed by a pause of this many times its duration."""

_encoder = msgspec.json.Encoder(enc_hook=str)


class CanvasDocument:
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
        self._elements: pycrdt.Map[Any] = self._doc.get("elements", type=pycrdt.Map)
        self._changed: set[str] = set()
        self._encoded: dict[str, msgspec.Raw] = {}
        self._whole: bytes | None = None
        # Not a bound method: that reference cycle through Yjs could never be collected.
        changed = self._changed
        self._elements.observe_deep(lambda events: _note_changes(changed, events))

    def apply(self, update: bytes) -> set[str]:
        """Apply an update; return the ids of the elements that it changed."""
        self.has_cut_character |= self._pairs.record(update)
        return self.apply_mended(update)

    def apply_mended(self, update: bytes) -> set[str]:
        """Apply an update from a log that `mend_log` has mended."""
        self._whole = None
        self._changed.clear()
        try:
            self._doc.apply_update(update)
        except BaseException as fault:
            raise translate_yjs_fault(fault) from None
        for element_id in self._changed:
            self._encode(element_id)
        return set(self._changed)

    @property
    def yjs(self) -> pycrdt.Doc[Any]:
        """The document itself, to read from."""
        return self._doc

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

    def elements(self, ids: Iterable[str] | None = None) -> dict[str, Any]:
        """Return elements as JSON by id (None: all of them); a deleted element is None."""
        if ids is None:
            return dict(self._encoded)
        return {element_id: self._encoded.get(element_id) for element_id in ids}

    def _encode(self, element_id: str) -> None:
        if element_id not in self._elements:
            self._encoded.pop(element_id, None)
            return
        value = self._elements[element_id]
        plain = value.to_py() if isinstance(value, pycrdt.Map | pycrdt.Array) else value
        try:
            self._encoded[element_id] = msgspec.Raw(_encoder.encode(plain))
        except (TypeError, ValueError, RecursionError):
            self._encoded[element_id] = msgspec.Raw(b"null")


def _note_changes(changed: set[str], events: list[Any]) -> None:
    for event in events:
        changed.update([event.path[0]] if event.path else event.keys)


class Canvas:
    """A canvas document, and the seqs of its log that are skipped because they break Yjs."""

    def __init__(
        self,
        session_id: str,
        store: CanvasStore,
        on_poison: Callable[[], None],
        on_cut_character: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._on_poison = on_poison
        self._on_cut_character = on_cut_character
        self._poison: set[int] = set()
        self._compacting: asyncio.Task[None] | None = None
        self._must_compact = False
        self._updates_since_snapshot = 0
        self._size = LogSize()
        self._erasing = asyncio.Lock()
        self.document = CanvasDocument()

    @property
    def size_bytes(self) -> int:
        """The snapshot and the updates after it, as they are stored."""
        return self._size.total

    async def load(self) -> tuple[int, Entry | None]:
        """Load the document from the store; return its seq, and the log entry at that seq."""
        log = await self._store.load_canvas(self._session_id)
        self._rebuild(*await mend_fairly(log))
        self._updates_since_snapshot = len(log.updates)
        self._size = LogSize()
        self._size.start(log)
        return log.seq, log.updates[-1] if log.updates else None

    def _rebuild(self, log: CanvasLog, pairs: Pairs) -> None:
        for entry in log.updates:
            if entry.fault is not None and entry.seq not in self._poison:
                self._skip(entry.seq, entry.fault)
        while True:
            self.document = CanvasDocument(pairs)
            broken = _apply_log(self.document, log, self._poison)
            if broken is None:
                return
            self._skip(broken)

    async def put_back(self, known: int) -> None:
        """Append what the document has and the log lost in a failover.

        `known` is the last seq that the log had. The new entry gets a greater one, so every
        reader notices the gap and reads the log again.
        """
        if self.document.has_cut_character:
            return  # its encoding may be wrong; the caller asks viewers for their copies
        log = await self._store.load_canvas(self._session_id)
        skipped = frozenset(self._poison | _find_unreadable(log))
        held = self.document.encode_missing(EMPTY_STATE)
        try:
            behind = await asyncio.to_thread(find_state_behind, log, skipped, held)
        except BrokenUpdate:
            return  # the next load finds and skips the entry that breaks Yjs
        if behind is not None:
            lost = self.document.encode_missing(behind)
            await self._store.append_canvas(self._session_id, lost, beyond=known)

    def apply(self, entry: Entry) -> set[str]:
        """Apply an entry of the log; after `BrokenUpdate` the caller must call `load`."""
        self._updates_since_snapshot += 1
        if entry.fault is not None:
            self._skip(entry.seq, entry.fault)
            return set()
        self._size.add(entry.seq, len(entry.payload))
        had_cut_character = self.document.has_cut_character
        try:
            # Not skipped if it breaks Yjs: the log may have another entry at this seq.
            return self.document.apply(entry.payload)
        finally:
            if self.document.has_cut_character and not had_cut_character:
                self._on_cut_character()
                log_event("canvas_cut_character", session=self._session_id, seq=entry.seq)

    def _skip(self, seq: int, reason: str = "it breaks Yjs") -> None:
        self._poison.add(seq)
        self._on_poison()
        session = self._session_id
        log_event("canvas_poison", level=logging.ERROR, session=session, seq=seq, reason=reason)

    def compact_if_long(self) -> None:
        """Start a compaction when the log has grown long."""
        if self._updates_since_snapshot > COMPACT_AFTER_UPDATES:
            self.compact_if_changed()

    def compact_if_changed(self) -> None:
        """Start a compaction if the log has changed since the last one: it may free space.

        If one is running, another one follows it.
        """
        if self._updates_since_snapshot:
            self._must_compact, self._updates_since_snapshot = True, 0
        if self._must_compact and self._compacting is None:
            self._compacting = start_once("compact a canvas", self._compact_repeatedly())

    async def _compact_repeatedly(self) -> None:
        try:
            while self._must_compact:
                self._must_compact = False
                began = time.monotonic()
                await self._compact()
                await asyncio.sleep(_PAUSE_FACTOR * (time.monotonic() - began))
        finally:
            self._compacting = None

    async def _compact(self) -> None:
        try:
            log = await self._store.load_canvas(self._session_id)
            if _find_unreadable(log):
                return  # kept: another version, or a process with another key, may read them
            snapshot = await snapshot_apart(log, frozenset(self._poison))
            digest = log.updates[-1].digest if log.updates else ""
            done = await self._store.compact_canvas(
                self._session_id, snapshot, upto=log.seq, digest=digest
            )
            if done:
                self._size.compact(log.seq, len(snapshot))
            else:  # another process was faster
                self._size.start(await self._store.load_canvas(self._session_id))
        except Exception as fault:
            # Nothing is lost: the log stays long until the next compaction.
            log_event("compaction_failed", session=self._session_id, error=fault)

    async def find_erasure(self, refused: list[bytes]) -> bytes:
        """Return an update that deletes the elements that `refused` would delete, or nothing.

        Raises `StoreUnavailable`, `BrokenUpdate` or `WorkerFailed`.
        """
        async with self._erasing:
            log = await self._store.load_canvas(self._session_id)
            if _find_unreadable(log):
                return b""
            return await erasure_apart(log, frozenset(self._poison), refused)


def _apply_log(document: CanvasDocument, log: CanvasLog, poison: set[int]) -> int | None:
    """Apply a mended log; return the seq of the entry that breaks Yjs, or None."""
    seq = 0
    try:
        if log.snapshot is not None and seq not in poison:
            document.apply_mended(log.snapshot)
        for entry in log.updates:
            seq = entry.seq
            if seq not in poison:
                document.apply_mended(entry.payload)
    except BrokenUpdate:
        return seq
    return None


def _find_unreadable(log: CanvasLog) -> set[int]:
    return {entry.seq for entry in log.updates if entry.fault is not None}


def find_state_behind(log: CanvasLog, skipped: frozenset[int], held: bytes) -> bytes | None:
    """Return the state vector of a log that lacks part of `held`; None if it has all."""
    stored: pycrdt.Doc[Any] = pycrdt.Doc()
    try:
        stored.apply_update(make_snapshot(log, skipped))
        before, state = stored.get_update(), stored.get_state()
        stored.apply_update(held)
        return None if stored.get_update() == before else state
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None


def render_elements(log: CanvasLog) -> bytes:
    """Return the elements of a log as one JSON object by id, without what breaks Yjs."""
    return msgspec.json.encode(restore_document(log).elements())


def restore_document(log: CanvasLog) -> CanvasDocument:
    """Return the document of a log; updates that break Yjs are left out."""
    poison = _find_unreadable(log)
    log, pairs = mend_log(log)
    while True:
        document = CanvasDocument(pairs)
        broken = _apply_log(document, log, poison)
        if broken is None:
            return document
        poison.add(broken)


async def mend_fairly(log: CanvasLog) -> tuple[CanvasLog, Pairs]:
    """Mend a log; a big one in a thread, so that other sessions are still served."""
    if measure_log(log) < BIG_UPDATE_BYTES:
        return mend_log(log)
    return await asyncio.to_thread(mend_log, log)


async def check_update_fairly(update: bytes) -> None:
    """Check an update; a big one in a thread, so that other clients are still served."""
    if len(update) < BIG_UPDATE_BYTES:
        check_update(update)
    else:
        await asyncio.to_thread(check_update, update)
