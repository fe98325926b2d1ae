"""Cut an encoded Yjs document into parts of a bounded size, and find what an update brings.

`split_update` does the same for an update of a client, and needs an object for each struct. These
functions are for whole documents: they cut between structs without reading their content.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pycrdt import write_var_uint

from isshoni.session.clocks import Section
from isshoni.session.single_change import read_short_run
from isshoni.session.split_update import cut_struct
from isshoni.session.sync import make_update
from isshoni.session.yjs_contents import Chunk, Contents
from isshoni.session.yjs_structs import (
    GC,
    SKIP,
    STRING,
    Range,
    StructWalk,
    count_units,
    write_update,
)
from isshoni.session.yjs_walk import MAX_CLOCK, NUMBER, SHORT_TEXT, BrokenUpdate, decode_text

PART_BYTES = 64 * 1024
"""A part of this size takes a millisecond to apply, and is one frame."""

_RANGE_BYTES = 16
"""Most bytes of a deleted range with its author."""
_RUN = 32
"""Structs that a regex walks over at once; an element of the page is 25 small ones."""


@dataclass(frozen=True, slots=True)
class Part:
    """A frame with an update that has some of a document's structs, and no deletions."""

    frame: bytes
    header_bytes: int
    sections: list[Section]

    @property
    def update(self) -> bytes:
        """The update in the frame."""
        return self.frame[self.header_bytes :]

    def is_known_at(self, clocks: dict[int, int]) -> bool:
        """True if a document with these clocks has all of it."""
        return all(end <= clocks.get(client, 0) for client, _, end in self.sections)


def read_contents(update: bytes, part_bytes: int = PART_BYTES) -> Contents:
    """Read the structs of an update in chunks, and its deletions; raises `BrokenUpdate`."""
    if len(update) <= part_bytes and (run := read_short_run(update)) is not None:
        return run
    return walk_contents(update, part_bytes)


def walk_contents(update: bytes, part_bytes: int = PART_BYTES) -> Contents:
    """Read an update as `read_contents` does, without a regex for the whole of it."""
    walk = _ChunkWalk(update)
    chunks: list[Chunk] = []
    for _ in range(walk.count()):
        count, client, clock = walk.count(), walk.varuint(), walk.clock()
        chunks += walk.chunks(count, client, clock, part_bytes)
    deleted = walk.read_deleted()
    walk.end()
    return Contents(chunks, deleted, walk.has_pairs)


def cut_into_parts(chunks: Iterable[Chunk], part_bytes: int = PART_BYTES) -> list[Part]:
    """Join chunks to parts of up to `part_bytes`, each after those that it needs.

    Two chunks may need each other: then Yjs keeps the first until it has the second.
    """
    parts: list[Part] = []
    group: dict[int, Chunk] = {}
    size = 0
    for chunk in _sort_by_need(list(chunks)):
        last = group.get(chunk.client)
        is_apart = last is not None and last.end != chunk.start
        if is_apart or (group and size + len(chunk.encoded) > part_bytes):
            parts.append(_join(group.values()))
            group, size, last = {}, 0, None
        group[chunk.client] = chunk if last is None else _append(last, chunk)
        size += len(chunk.encoded)
    if group:
        parts.append(_join(group.values()))
    return parts


def _append(first: Chunk, then: Chunk) -> Chunk:
    encoded = first.encoded + then.encoded
    return Chunk(first.client, first.start, then.end, first.count + then.count, {}, encoded)


def _join(chunks: Iterable[Chunk]) -> Part:
    chunks = list(chunks)
    update = encode_chunks(chunks)
    frame = make_update(update)
    sections = [(one.client, one.start, one.end) for one in chunks]
    return Part(frame, len(frame) - len(update), sections)


def encode_chunks(chunks: list[Chunk], deleted: Sequence[Range] = ()) -> bytes:
    """Encode an update from at most one chunk of each author."""
    encoded = [write_var_uint(len(chunks))]
    for one in chunks:
        encoded += map(write_var_uint, (one.count, one.client, one.start))
        encoded.append(one.encoded)
    encoded.append(write_update([], list(deleted))[1:] if deleted else b"\0")
    return b"".join(encoded)


def join_updates(updates: Iterable[Contents]) -> list[bytes]:
    """Join updates, in their order, to as few as possible: one if none is missing.

    `merge_updates` of Yjs would fill a gap with a placeholder, which hides that it is there.
    """
    joined: list[bytes] = []
    group: dict[int, Chunk] = {}
    deleted: list[Range] = []
    for contents in updates:
        for chunk in contents.chunks:
            last = group.get(chunk.client)
            if last is not None and last.end != chunk.start:
                joined.append(encode_chunks(list(group.values()), deleted))
                group, deleted, last = {}, [], None
            group[chunk.client] = chunk if last is None else _append(last, chunk)
        for one in contents.deleted:
            _add_deleted(deleted, one)
    joined.append(encode_chunks(list(group.values()), deleted))
    return joined


def _add_deleted(deleted: list[Range], one: Range) -> None:
    """Add a range; to the last one if it follows it, as those of a moved element do."""
    last = deleted[-1] if deleted else None
    if last is None or last.client != one.client or last.clock + last.length != one.clock:
        deleted.append(one)
    else:
        deleted[-1] = Range(one.client, last.clock, last.length + one.length)


def make_deletions(deleted: list[Range], part_bytes: int = PART_BYTES) -> list[bytes]:
    """Return updates that only delete, each of up to `part_bytes`."""
    at_once = part_bytes // _RANGE_BYTES
    return [
        write_update([], deleted[begin : begin + at_once])
        for begin in range(0, len(deleted), at_once)
    ]


def _sort_by_need(chunks: list[Chunk]) -> Iterator[Chunk]:
    """Yield chunks so that each comes after those it refers to, as far as that is possible."""
    queues: dict[int, list[Chunk]] = {}
    for chunk in sorted(chunks, key=lambda one: one.start, reverse=True):
        queues.setdefault(chunk.client, []).append(chunk)
    for client in list(queues):
        while queues[client]:
            yield from _pop_with_needs(queues, client)


def _pop_with_needs(queues: dict[int, list[Chunk]], client: int) -> Iterator[Chunk]:
    waiting = [client]
    while waiting:
        head = queues[waiting[-1]][-1]
        missing = next((of for of in head.needs if _is_before(queues, of, head)), None)
        if missing is not None and missing not in waiting:
            waiting.append(missing)
            continue
        yield queues[waiting.pop()].pop()


def _is_before(queues: dict[int, list[Chunk]], client: int, head: Chunk) -> bool:
    queue = queues.get(client)
    return queue is not None and bool(queue) and queue[-1].start <= head.needs[client]


def squash_ranges(ranges: Iterable[Range]) -> list[Range]:
    """Return the same clocks in as few ranges as possible."""
    squashed: list[Range] = []
    for one in sorted(ranges, key=lambda one: (one.client, one.clock)):
        last = squashed[-1] if squashed else None
        if last is None or last.client != one.client or last.clock + last.length < one.clock:
            squashed.append(one)
            continue
        end = max(last.clock + last.length, one.clock + one.length)
        squashed[-1] = Range(last.client, last.clock, end - last.clock)
    return squashed


class _ChunkWalk(StructWalk):
    """Walks the structs of one author after another, and cuts between them."""

    __slots__ = ("has_pairs",)

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.has_pairs = False
        """True once a text had a character of two UTF-16 units."""

    def chunks(self, count: int, client: int, clock: int, part_bytes: int) -> Iterator[Chunk]:
        """Yield the next `count` structs in chunks of about `part_bytes`."""
        match_run = _ordinary_structs(client).match if count >= 8 * _RUN else None
        one_by_one = 0
        while count > 0:
            chunk, begin, end = Chunk(client, clock), self._at, self._at + part_bytes
            while count > 0 and self._at < end:
                if match_run and count >= _RUN and not one_by_one:
                    if run := match_run(self._data, self._at):
                        self._at, clock, count = run.end(), clock + _RUN, count - _RUN
                        chunk.count += _RUN
                        continue
                    one_by_one = _RUN
                one_by_one -= one_by_one > 0
                at, kind = self._at, self.byte() & 0x1F
                length = self._walk_struct(self._data[at], client, chunk.needs)
                count, clock = count - 1, clock + length
                if clock > MAX_CLOCK:
                    raise BrokenUpdate("a clock is over the maximum")
                if kind == SKIP or self._at - at > part_bytes:
                    yield from self._finish(chunk, begin, at, clock - length)
                    if kind != SKIP:
                        yield from self._cut_large(at, client, clock - length, part_bytes)
                    break
                chunk.count += 1
            else:
                yield from self._finish(chunk, begin, self._at, clock)

    def _finish(self, chunk: Chunk, begin: int, end: int, clock: int) -> Iterator[Chunk]:
        if clock > MAX_CLOCK:
            raise BrokenUpdate("a clock is over the maximum")
        if chunk.count:
            chunk.end, chunk.encoded = clock, self._data[begin:end]
            yield chunk

    def _cut_large(self, at: int, client: int, clock: int, part_bytes: int) -> Iterator[Chunk]:
        after, self._at = self._at, at
        struct = self.read_struct(client, clock)
        self._at = after
        for one in cut_struct(struct, part_bytes):
            ids = [of for of in (one.origin, one.right_origin, one.parent) if of is not None]
            needs = {of[0]: of[1] for of in ids if of[0] != client}
            yield Chunk(client, one.clock, one.clock + one.length, 1, needs, one.encoded)

    def _walk_struct(self, info: int, client: int, needs: dict[int, int]) -> int:
        """Walk over one struct, after its first byte; return its number of clocks."""
        kind = info & 0x1F
        if kind in (GC, SKIP):
            return self.clock()
        if info & 0x80:
            self._need(client, needs)
        if info & 0x40:
            self._need(client, needs)
        if not info & 0xC0:
            if self.varuint() == 1:
                self.text()
            else:
                self._need(client, needs)
            if info & 0x20:
                self.text()
        if kind != STRING:
            return self.content(kind)
        size = self.varuint()
        start = self._at
        self.skip(size)
        encoded = self._data[start : self._at]
        if encoded.isascii():
            return size
        text = decode_text(encoded)
        units = count_units(text)
        self.has_pairs |= units > len(text)
        return units

    def _need(self, client: int, needs: dict[int, int]) -> None:
        of, clock = self.varuint(), self.clock()
        if of != client and needs.get(of, -1) < clock:
            needs[of] = clock

    def read_deleted(self) -> list[Range]:
        """Read the deletions that follow the structs."""
        deleted: list[Range] = []
        for _ in range(self.count()):
            client = self.varuint()
            deleted += [Range(client, self.clock(), self.clock()) for _ in range(self.count())]
        if any(one.clock + one.length > MAX_CLOCK for one in deleted):
            raise BrokenUpdate("a clock is over the maximum")
        return deleted


@lru_cache(maxsize=256)
def _ordinary_structs(client: int) -> re.Pattern[bytes]:
    """Return a regex for `_RUN` structs of an author, of one clock each.

    They refer to the author's own structs only, and hold one short value, map or list.
    """
    own_id = b"%b[\x80-\xff]{0,3}[\x00-\x7f]" % re.escape(write_var_uint(client))
    parent = rb"(?>\x00%b|\x01%b)" % (own_id, SHORT_TEXT)

    def infos(*allowed: int) -> bytes:
        return b"[%b]" % re.escape(bytes(allowed))

    def refer(kind: int) -> bytes:
        one = infos(kind | 0xA0, kind | 0x80, kind | 0x60, kind | 0x40) + own_id
        two = infos(kind | 0xE0, kind | 0xC0) + own_id + own_id
        key = infos(kind | 0x20) + parent + SHORT_TEXT
        item = infos(kind) + parent
        return b"(?>%b|%b|%b|%b)" % (key, one, two, item)

    value = rb"(?>%b|\x77%b|\x75\x02%b%b)" % (NUMBER, SHORT_TEXT, NUMBER, NUMBER)
    struct = rb"(?>%b\x01%b|%b[\x00\x01])" % (refer(8), value, refer(7))
    return re.compile(b"(?s:%b{%d})" % (struct, _RUN))
