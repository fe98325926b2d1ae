"""A session's canvas: a Yjs document that follows the canvas log."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from isshoni.backend.live.canvas_worker import (
    WORKER_BYTES,
    WorkerFailed,
    cut_apart,
    erasure_apart,
    find_lost_apart,
    is_for_worker,
    measure_log,
    open_apart,
    snapshot_apart,
)
from isshoni.backend.live.cut_characters import Pairs, mend_log
from isshoni.backend.live.element_view import ElementView
from isshoni.backend.live.large_document import LargeDocument
from isshoni.backend.live.log_size import LogSize
from isshoni.backend.live.small_document import SmallDocument
from isshoni.backend.live.whole_canvas import OpenedLog, open_log
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import CanvasLog, CanvasStore, Entry
from isshoni.backend.tasks import start_once
from isshoni.session.server.yjs_update import check_update
from isshoni.session.yjs_contents import Contents
from isshoni.session.yjs_parts import PART_BYTES
from isshoni.session.yjs_walk import BrokenUpdate

COMPACT_AFTER_UPDATES = 500
LARGE_BYTES = 64 * 1024
"""A log of this size or more is kept as its updates, without a Yjs document."""
_OUTGROWN_FACTOR = 2
"""A small document is replaced when its log has this many times that size."""
_PAUSE_FACTOR = 4.0
"""A compaction is followed by a pause of this many times its duration."""

Document = SmallDocument | LargeDocument


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
        self.document: Document = SmallDocument()
        self.view: ElementView | None = None
        """The elements as JSON, once a client has asked for them."""
        self._viewing = asyncio.Lock()

    @property
    def must_reload(self) -> bool:
        """True if the document must be loaded again before clients are answered from it.

        An edit has cut a character in two, or a small document has grown large.
        """
        is_small = isinstance(self.document, SmallDocument)
        outgrown = is_small and self.size_bytes >= _OUTGROWN_FACTOR * LARGE_BYTES
        return outgrown or self.document.has_cut_character

    @property
    def size_bytes(self) -> int:
        """The snapshot and the updates after it, as they are stored."""
        return self._size.total

    async def load(self) -> tuple[int, Entry | None]:
        """Load the document from the store; return its seq, and the log entry at that seq."""
        log = await self._store.load_canvas(self._session_id)
        document = await self._open(log)
        self.drop_view()
        self.document = document
        self._updates_since_snapshot = len(log.updates)
        self._size = LogSize()
        self._size.start(log)
        return log.seq, log.updates[-1] if log.updates else None

    async def _open(self, log: CanvasLog) -> Document:
        for entry in log.updates:
            if entry.fault is not None and entry.seq not in self._poison:
                self._skip(entry.seq, entry.fault)
        if measure_log(log) < LARGE_BYTES and not is_for_worker(log):
            return self._open_small(*mend_log(log))
        opened = await open_fairly(log, frozenset(self._poison))
        for seq in opened.broken:
            self._skip(seq)
        return LargeDocument(opened)

    def _open_small(self, log: CanvasLog, pairs: Pairs) -> SmallDocument:
        while True:
            document = SmallDocument(pairs)
            broken = _apply_log(document, log, self._poison)
            if broken is None:
                return document
            self._skip(broken)

    async def ensure_view(self) -> ElementView:
        """Return the elements as JSON; they follow the document from then on.

        Raises `BrokenUpdate` if Yjs cannot apply an update.
        """
        async with self._viewing:
            if self.view is None:
                document = self.document
                self.view = view = ElementView()
                try:
                    await view.build(document.updates())
                except BaseException:
                    self.view = None
                    raise
            return self.view

    async def put_back(self, known: int) -> None:
        """Append what the document has and the log lost in a failover.

        `known` is the last seq that the log had. The new entry gets a greater one, so every
        reader notices the gap and reads the log again.
        """
        if self.document.has_cut_character:
            return  # its encoding may be wrong; the caller asks viewers for their copies
        held = self.document.updates()
        log = await self._store.load_canvas(self._session_id)
        skipped = frozenset(self._poison | _find_unreadable(log))
        try:
            lost = await find_lost_apart(log, skipped, held)
        except BrokenUpdate:
            return  # the next load finds and skips the entry that breaks Yjs
        if lost:
            await self._store.append_canvas(self._session_id, lost, beyond=known)

    def drop_view(self) -> None:
        """Drop the elements as JSON, if there are any."""
        view, self.view = self.view, None
        if view is not None and isinstance(self.document, LargeDocument):
            start_once("drop a view", view.drop())

    def apply(self, entry: Entry) -> set[str]:
        """Apply an entry of the log; return the ids of the changed elements if there is a view.

        After `BrokenUpdate` the caller must call `load`.
        """
        self._updates_since_snapshot += 1
        if entry.fault is not None:
            self._skip(entry.seq, entry.fault)
            return set()
        self._size.add(entry.seq, len(entry.payload))
        had_cut_character = self.document.has_cut_character
        try:
            # Not skipped if it breaks Yjs: the log may have another entry at this seq.
            self.document.apply(entry.payload, entry.seq)
            return set() if self.view is None else self.view.apply(entry.payload)
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
                async with _turn_to_compact(self.size_bytes):
                    began = time.monotonic()
                    await self._compact()
                    seconds = time.monotonic() - began
                await asyncio.sleep(_PAUSE_FACTOR * seconds)
        finally:
            self._compacting = None

    async def _compact(self) -> None:
        document = self.document
        try:
            log = await self._store.load_canvas(self._session_id)
            if _find_unreadable(log):
                return  # kept: another version, or a process with another key, may read them
            snapshot = await snapshot_apart(log, frozenset(self._poison))
            digest = log.updates[-1].digest if log.updates else ""
            done = await self._store.compact_canvas(
                self._session_id, snapshot.update, upto=log.seq, digest=digest
            )
            if done:
                self._size.compact(log.seq, len(snapshot.update))
                if isinstance(document, LargeDocument):
                    document.replace(snapshot.parts, snapshot.deleted, log.seq)
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


def _turn_to_compact(size_bytes: int) -> contextlib.AbstractAsyncContextManager[object]:
    """Return what a compaction has to enter: small canvases that fill up together go in turn.

    To read the logs of all at once would keep the event loop. A large one waits for its worker.
    """
    if size_bytes >= WORKER_BYTES:
        return contextlib.nullcontext()
    loop = asyncio.get_running_loop()
    if (lock := _compaction_locks.get(loop)) is None:
        lock = _compaction_locks[loop] = asyncio.Lock()
    return lock


_compaction_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _apply_log(document: SmallDocument, log: CanvasLog, poison: set[int]) -> int | None:
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


async def open_fairly(log: CanvasLog, poison: frozenset[int]) -> OpenedLog:
    """Open a log in parts: in a worker, or in a thread if that fails."""
    try:
        return await open_apart(log, poison)
    except WorkerFailed as fault:
        log_event("canvas_worker_failed", level=logging.ERROR, error=fault)
        return await asyncio.to_thread(open_log, log, poison)


def check_small(update: bytes) -> Contents | None:
    """Check an update and return its contents; None if it is large: that takes long.

    Raises `BrokenUpdate`.
    """
    return check_update(update) if len(update) <= PART_BYTES else None


async def check_update_fairly(update: bytes) -> list[tuple[bytes, Contents | None]]:
    """Check an update; return it with its contents, or the pieces of a large one without.

    Raises `BrokenUpdate`.
    """
    if (contents := check_small(update)) is not None:
        return [(update, contents)]
    try:
        return [(piece, None) for piece in await cut_apart(update)]
    except WorkerFailed as fault:
        raise BrokenUpdate(str(fault)) from None
