"""Work on all of a canvas log at once: open it, make a snapshot, find what is lost or erased.

Seconds for a canvas of 20 MB, in which Yjs lets no other thread run: see `canvas_worker`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pycrdt

from isshoni.backend.live.cut_characters import mend_log
from isshoni.backend.live.slices import Steps, run_at_once
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.session.server.yjs_update import check_update, parse_state
from isshoni.session.yjs_contents import Chunk, Contents
from isshoni.session.yjs_document import YjsDocument, translate_yjs_fault
from isshoni.session.yjs_parts import (
    PART_BYTES,
    Part,
    cut_into_parts,
    make_deletions,
    read_contents,
    squash_ranges,
)
from isshoni.session.yjs_structs import SKIP, Id, Range, read_update
from isshoni.session.yjs_walk import BrokenUpdate


class OpenedLog(msgspec.Struct, array_like=True):
    """The content of a log in parts, in which no edit cuts a character."""

    parts: list[Part]
    deleted: list[Range]
    pairs: list[Id]
    """The whole two-unit characters: see `cut_characters`."""
    broken: list[int]
    """The seqs of updates that break Yjs; their content is left out."""


class Snapshot(msgspec.Struct, array_like=True):
    """A log as one update, and the same in parts."""

    update: bytes
    parts: list[Part]
    deleted: list[Range]


def open_log(log: CanvasLog, poison: frozenset[int]) -> OpenedLog:
    """Cut a log into parts, without making a document of it."""
    log, pairs = mend_log(log)
    entries = [Entry(0, log.snapshot)] if log.snapshot is not None else []
    entries += log.updates
    chunks: list[Chunk] = []
    deleted: list[Range] = []
    broken: list[int] = []
    for entry in entries:
        if entry.seq in poison or entry.fault is not None:
            continue
        try:
            contents = read_contents(entry.payload)
            if entry.seq:  # a snapshot was made by Yjs
                check_decodes(entry.payload)
        except BrokenUpdate:
            broken.append(entry.seq)
            continue
        chunks += contents.chunks
        deleted += contents.deleted
    parts = cut_into_parts(chunks)
    return OpenedLog(parts, squash_ranges(deleted), pairs.list(), broken)


def check_decodes(update: bytes) -> None:
    """Raise `BrokenUpdate` unless Yjs can decode an update whose structure was checked."""
    try:
        pycrdt.merge_updates(update)
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None


def cut_update(update: bytes) -> list[bytes]:
    """Check an update, and cut a large one so that it never takes long to apply.

    Raises `BrokenUpdate`.
    """
    check_update(update)
    if len(update) <= PART_BYTES:
        return [update]
    contents = read_contents(update)
    parts = [part.update for part in cut_into_parts(contents.chunks)]
    return [*parts, *make_deletions(contents.deleted)] or [update]


def make_snapshot_in_parts(log: CanvasLog, poison: frozenset[int]) -> Snapshot:
    """Merge a log into one update, and cut that into parts.

    Raises `BrokenUpdate` if Yjs lost anything of it: the snapshot is to replace the log.
    """
    return run_at_once(snapshot_steps(log, poison))


def snapshot_steps(log: CanvasLog, poison: frozenset[int]) -> Steps[Snapshot]:
    """Do what `make_snapshot_in_parts` does, with a pause after each update."""
    log, _ = mend_log(log)
    update = yield from _merge(log, poison)
    yield
    contents = read_contents(update)
    yield
    stored = [entry.payload for entry in log.updates if entry.seq not in poison]
    yield from _check_has_all(
        contents, [log.snapshot, *stored] if log.snapshot is not None else stored
    )
    yield
    return Snapshot(update, cut_into_parts(contents.chunks), squash_ranges(contents.deleted))


def _check_has_all(whole: Contents, updates: Iterable[bytes]) -> Steps[None]:
    """Raise `BrokenUpdate` if a struct or a deletion of an update is missing in `whole`."""
    of_whole = _list_ranges(whole.chunks), squash_ranges(whole.deleted)
    parts: list[Contents] = []
    for update in updates:
        parts.append(read_contents(update))
        yield
    structs = _list_ranges([chunk for part in parts for chunk in part.chunks])
    yield
    deleted = squash_ranges(one for part in parts for one in part.deleted)
    yield
    together = squash_ranges((*of_whole[0], *structs)), squash_ranges((*of_whole[1], *deleted))
    if together != of_whole:
        raise BrokenUpdate("a snapshot of the log would lack a part of it")


def _list_ranges(chunks: Iterable[Chunk]) -> list[Range]:
    return squash_ranges(Range(one.client, one.start, one.end - one.start) for one in chunks)


def find_lost(log: CanvasLog, skipped: frozenset[int], held: Sequence[bytes]) -> bytes:
    """Return an update with what `held` updates have and a log lacks; empty if it has all."""
    try:
        stored = YjsDocument()
        stored.apply(make_snapshot(log, skipped))
        before, state = stored.encode(), stored.doc.get_state()
        for update in held:
            stored.apply(update)
        return b"" if stored.encode() == before else stored.encode(state)
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None


def render_elements(log: CanvasLog, poison: frozenset[int]) -> bytes:
    """Return the elements of a log as one JSON object by id, without what breaks Yjs."""
    elements = _elements(restore_document(log, poison))
    return msgspec.json.encode({key: encode_element(elements, key) for key in elements.keys()})


def render_map(log: CanvasLog, poison: frozenset[int], name: str) -> bytes:
    """Return a map of a log's document as JSON."""
    found: pycrdt.Map[Any] = restore_document(log, poison).get(name, type=pycrdt.Map)
    return encode_json(found.to_py() or {})


def restore_document(log: CanvasLog, poison: frozenset[int]) -> "pycrdt.Doc[Any]":
    """Return the document of a log; updates that break Yjs are left out."""
    skipped = {entry.seq for entry in log.updates if entry.fault is not None} | poison
    log, _ = mend_log(log)
    entries = [Entry(0, log.snapshot)] if log.snapshot is not None else []
    entries += log.updates
    while True:
        document = YjsDocument()
        try:
            for entry in entries:
                if entry.seq not in skipped:
                    document.apply(entry.payload)
            return document.doc
        except BaseException as fault:
            translate_yjs_fault(fault)
            skipped |= {entry.seq}


_encoder = msgspec.json.Encoder(enc_hook=str)


def encode_json(value: object) -> bytes:
    """Return a value as JSON; `null` if it has none."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, RecursionError):
        return b"null"


def encode_element(elements: "pycrdt.Map[Any]", element_id: str) -> msgspec.Raw:
    """Return an element as JSON."""
    value = elements[element_id]
    plain = value.to_py() if isinstance(value, pycrdt.Map | pycrdt.Array) else value
    return msgspec.Raw(encode_json(plain))


def make_snapshot(log: CanvasLog, poison: frozenset[int]) -> bytes:
    """Merge a log into one update.

    Through a document rather than `merge_updates`: as fast, and half the size. It has also what
    builds on something missing.
    """
    log, _ = mend_log(log)
    return run_at_once(_merge(log, poison))


def _merge(log: CanvasLog, poison: frozenset[int]) -> Steps[bytes]:
    """Merge a mended log into one update."""
    try:
        document = yield from _apply_all(log, poison)
        return document.encode()
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None


def make_erasure(log: CanvasLog, poison: frozenset[int], refused: Sequence[bytes]) -> bytes:
    """Return the update that deletes the elements that are gone once `refused` is applied.

    Empty if there are none, or if something that the refused updates build on is missing.
    The refused changes must be applied to find these: moving or replacing an element deletes
    content too, and that element must not be lost.
    """
    changes = [Entry(log.seq + number, update) for number, update in enumerate(refused, 1)]
    both = CanvasLog(log.snapshot, [*log.updates, *changes], log.seq + len(changes))
    both, _ = mend_log(both)
    updates = both.updates[len(log.updates) :]
    try:
        old = CanvasLog(both.snapshot, both.updates[: len(log.updates)], log.seq)
        document = run_at_once(_apply_all(old, poison))
        before = list(_elements(document.doc).keys())
        stored = document.doc.get_update()
        for entry in updates:
            document.apply(entry.payload)
        left = set(_elements(document.doc).keys())
        erased = [element_id for element_id in before if element_id not in left]
        is_whole = _is_whole(document.doc, updates)
        return _delete_elements(stored, erased) if erased and is_whole else b""
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None


def _apply_all(log: CanvasLog, poison: frozenset[int]) -> Steps[YjsDocument]:
    document = YjsDocument()
    if log.snapshot is not None:
        document.apply(log.snapshot)
        yield
    for entry in log.updates:
        if entry.seq not in poison:
            document.apply(entry.payload)
            yield
    return document


def _delete_elements(stored: bytes, element_ids: list[str]) -> bytes:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    doc.apply_update(stored)
    elements = _elements(doc)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    with doc.transaction():
        for element_id in element_ids:
            del elements[element_id]
    doc.unobserve(subscription)
    return made[0]


def _elements(doc: "pycrdt.Doc[Any]") -> "pycrdt.Map[Any]":
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    return elements


def _is_whole(doc: "pycrdt.Doc[Any]", updates: Sequence[Entry]) -> bool:
    """True if a document has every struct of some updates."""
    clocks = parse_state(doc.get_state())
    return all(
        struct.clock + struct.length <= clocks.get(struct.client, 0)
        for entry in updates
        for struct in read_update(entry.payload)[0]
        if struct.kind != SKIP
    )
