"""Split a Yjs update into pieces, each small enough for a frame.

The twin of `split-update.ts` of the TypeScript client.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from isshoni.session.yjs_structs import SKIP, Id, Range, Struct, read_update, write_update

_HEADER_BYTES = 64
"""Bytes of a piece besides its structs: counts, and an id for each author."""
_RANGE_BYTES = 10
"""Most bytes that one deleted range takes."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of an update, to be sent in this order."""

    updates: list[bytes]
    too_large: list[Struct]
    """Single values too large for any frame; the pieces have them as deleted."""

    def make_deletion(self) -> bytes:
        """Return an update that only deletes the values in `too_large`."""
        return write_update([], [Range(of.client, of.clock, of.length) for of in self.too_large])


def split_update(update: bytes, piece_bytes: int, frame_bytes: int) -> Pieces:
    """Split an update into pieces of about `piece_bytes`; raises `BrokenUpdate`.

    Strings and lists of plain values are split; a large single value gets a piece of its own,
    of up to `frame_bytes`. No piece refers to a later one, so they can be applied in order;
    deletions come last.
    """
    if len(update) <= piece_bytes:
        return Pieces([update], [])
    structs, deleted = read_update(update)
    writer = _PieceWriter(piece_bytes)
    too_large: list[Struct] = []
    for struct in _sort_by_need(structs):
        for part in cut_struct(struct, piece_bytes):
            if len(part.encoded) + _HEADER_BYTES <= frame_bytes:
                writer.add_struct(part)
                continue
            too_large.append(part)
            stub = part.as_deleted()
            fits = len(stub.encoded) + _HEADER_BYTES <= frame_bytes
            writer.add_struct(stub if fits else part.as_collected())
    for one in deleted:
        writer.add_deleted(one)
    return Pieces(writer.finish(), too_large)


class _PieceWriter:
    """Collects structs and deleted ranges; begins the next piece when one is full."""

    def __init__(self, piece_bytes: int) -> None:
        self._piece_bytes = piece_bytes
        self._pieces: list[bytes] = []
        self._structs: list[Struct] = []
        self._deleted: list[Range] = []
        self._ends: dict[int, int] = {}
        self._size = 0

    def add_struct(self, struct: Struct) -> None:
        size = len(struct.encoded)
        # An update stores no clock per struct: each begins where the one before it ends.
        follows = self._ends.get(struct.client, struct.clock) == struct.clock
        if not follows or (self._size and self._size + size > self._piece_bytes):
            self._flush()
        self._structs.append(struct)
        self._ends[struct.client] = struct.clock + struct.length
        self._size += size

    def add_deleted(self, one: Range) -> None:
        if self._size and self._size + _RANGE_BYTES > self._piece_bytes:
            self._flush()
        self._deleted.append(one)
        self._size += _RANGE_BYTES

    def finish(self) -> list[bytes]:
        self._flush()
        return self._pieces

    def _flush(self) -> None:
        if self._structs or self._deleted:
            self._pieces.append(write_update(self._structs, self._deleted))
        self._structs, self._deleted, self._ends, self._size = [], [], {}, 0


def _sort_by_need(structs: list[Struct]) -> Iterator[Struct]:
    """Yield structs so that each comes after those it refers to, of any author."""
    queues: dict[int, list[Struct]] = {}
    for struct in reversed(structs):
        if struct.kind != SKIP:
            queues.setdefault(struct.client, []).append(struct)
    for queue in queues.values():
        queue.sort(key=lambda one: one.clock, reverse=True)

    def is_waited_for(of: Id) -> bool:
        queue = queues.get(of[0], [])
        return len(queue) > 0 and queue[-1].clock <= of[1]

    for client, own in queues.items():
        needed = [(client, own[0].clock)] if own else []
        while needed:
            wanted = needed[-1]
            if not is_waited_for(wanted):
                needed.pop()
                continue
            head = queues[wanted[0]][-1]
            missing = [of for of in _needs(head) if of[0] != wanted[0] and is_waited_for(of)]
            # A valid update has no cycle of references; with an invalid one the loop must end too.
            if missing and len(needed) <= len(queues):
                needed.append(missing[0])
            else:
                yield queues[wanted[0]].pop()


def _needs(struct: Struct) -> list[Id]:
    ids = (struct.origin, struct.right_origin, struct.parent)
    return [of for of in ids if of is not None]


def cut_struct(struct: Struct, piece_bytes: int) -> Iterator[Struct]:
    """Cut a struct in two until each part is small enough or a single value."""
    parts = struct.cut() if len(struct.encoded) > piece_bytes else None
    if parts is None:
        yield struct
    else:
        for part in parts:
            yield from cut_struct(part, piece_bytes)
