"""Append acknowledged messages that a log lost, at new seqs: other entries have theirs."""

import logging
from dataclasses import dataclass, replace
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.store.formats import find_envelope_fault
from isshoni.backend.store.ports import (
    ChatStore,
    Entry,
    Head,
    LogCounters,
    Recorded,
    SessionDirectory,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import (
    LostEntry,
    MessageIdentity,
    Recovery,
    identify,
    read_entry,
    read_time,
)

_PAGE = 500
_MAX_ATTEMPTS = 200


class MergeStore(ChatStore, LogCounters, SessionDirectory, Protocol):
    """The ports that a merge needs: the chat log, and where it ends."""


@dataclass(frozen=True)
class Merged:
    """The result of a merge."""

    count: int
    """The number of messages that were appended."""
    began_epoch: bool


async def read_log(
    store: ChatStore, session_id: str, *, after: int, before: int | None = None
) -> dict[int, LostEntry]:
    """Return the readable entries after a seq, by seq."""
    log: dict[int, LostEntry] = {}
    while page := await store.read_chat(session_id, after=after, limit=_PAGE):
        log.update((entry.seq, read_stored(entry)) for entry in page if _is_readable(entry))
        after = page[-1].seq
        if len(page) < _PAGE or (before is not None and after >= before - 1):
            break
    return log if before is None else {seq: log[seq] for seq in log if seq < before}


async def mend_counter(store: MergeStore, session_id: str, head: Head) -> int:
    """Set the counter of the log at `head` to its end if it is behind; return where it ends.

    Redis refuses every append at a seq that is taken, so a log that is longer than its counter
    takes no message. The log is the truth; `n` of its authors is recorded again too.
    """
    seq = head.chat_seq
    while page := await store.read_chat(session_id, after=seq, limit=_PAGE):
        beyond = [_record(entry) for entry in page]
        if not await store.mend_chat(session_id, head.epoch, beyond):
            break  # the counter was not behind: these were appended after it was read
        seq = page[-1].seq
    if seq > head.chat_seq:
        level, counted = logging.WARNING, head.chat_seq
        log_event("log_counter_mended", level=level, session=session_id, counted=counted, end=seq)
    return seq


def _record(entry: Entry) -> Recorded:
    if not _is_readable(entry):
        return Recorded(entry.seq, entry.digest, "", 0)
    read = read_stored(entry)
    return Recorded(entry.seq, entry.digest, read.client_id, read.n)


def read_stored(entry: Entry) -> LostEntry:
    """Return a log entry in the form in which copies are compared."""
    return read_entry(entry.seq, entry.payload)


def _is_readable(entry: Entry) -> bool:
    return find_envelope_fault(entry) is None


async def save_copies(
    store: MergeStore, session_id: str, epoch: str, copies: list[LostEntry]
) -> Merged:
    """Append the messages of copies from `epoch` that the session's log lacks.

    Messages older than the first entry of the log, by seq or by time, count as trimmed, not as
    lost: after `FLUSHALL` seqs begin at 1 again, and do not say what the log once had.
    """
    if not copies:
        return Merged(0, began_epoch=False)
    head = await store.open_session(session_id, epoch=epoch)
    first = min(entry.seq for entry in copies)
    log = await read_log(store, session_id, after=first - 1)
    recovery = Recovery(head.chat_seq, 0, log)
    recovery.offer(copies)
    begins_at = await _find_beginning(store, session_id)
    missing = [entry for entry in recovery.list_missing() if read_time(entry) >= begins_at]
    if not missing:
        return Merged(0, began_epoch=False)
    return await merge_lost(store, session_id, epoch, missing)


async def _find_beginning(store: ChatStore, session_id: str) -> int:
    """Return the time of a log's first entry if earlier ones were trimmed, else 0."""
    page = await store.read_chat(session_id, after=0, limit=1)
    if not page or page[0].seq == 1 or not _is_readable(page[0]):
        return 0
    return read_time(read_stored(page[0]))


async def merge_lost(
    store: MergeStore, session_id: str, epoch: str, lost: list[LostEntry], *, force: bool = False
) -> Merged:
    """Append lost messages at new seqs, each once, even if other processes do the same.

    If the log is still of `epoch`, a new epoch begins: its seqs have changed their meaning.
    With `force` it begins even if nothing of `lost` is missing. Raises `StoreUnavailable`.
    """
    # All of the log is read: under another epoch, or after a great loss, the seqs of lost
    # messages do not say where other processes or their authors have appended them again.
    present, read_to = set[MessageIdentity](), Head("", 0, 0)
    for _ in range(_MAX_ATTEMPTS):
        head = await store.open_session(session_id, epoch=epoch)
        if head.epoch != read_to.epoch or head.chat_seq < read_to.chat_seq:
            present, read_to = set(), Head("", 0, 0)
        log = await read_log(store, session_id, after=read_to.chat_seq)
        present.update(identify(entry) for entry in log.values())
        if max(log, default=0) > head.chat_seq:
            head = replace(head, chat_seq=await mend_counter(store, session_id, head))
        read_to = head
        missing = [entry for entry in lost if identify(entry) not in present]
        begins = head.epoch == epoch
        if not missing and not (force and begins):
            return Merged(0, began_epoch=False)
        at = Position(head.epoch, head.chat_seq)
        if await store.merge_chat(session_id, at, missing, begin_epoch=begins) is not None:
            return Merged(len(missing), began_epoch=begins)
    raise StoreUnavailable("the log grew during each attempt to put lost messages back")
