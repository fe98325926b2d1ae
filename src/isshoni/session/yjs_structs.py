"""Read and write the structs of an encoded Yjs update."""

from dataclasses import dataclass, replace

import msgspec
from pycrdt import write_var_uint

from isshoni.session.yjs_walk import Walk

Id = tuple[int, int]
"""Client and clock of one unit of content."""

GC, DELETED, JSON, STRING, ANY, SKIP = 0, 1, 2, 4, 8, 10
_HAS_ORIGIN, _HAS_RIGHT_ORIGIN = 0x80, 0x40


@dataclass(frozen=True, slots=True)
class Struct:
    """One struct: an item, or a gap (garbage-collected, or skipped as missing)."""

    client: int
    clock: int
    length: int
    """How many clocks it takes; a string takes one for each UTF-16 unit."""
    info: int
    origin: Id | None
    right_origin: Id | None
    parent: Id | None
    head: bytes
    """Its encoded bytes before the content."""
    content: bytes

    @property
    def kind(self) -> int:
        """The type of its content."""
        return self.info & 0x1F

    @property
    def encoded(self) -> bytes:
        """The bytes of the whole struct in an update."""
        return self.head + self.content

    @property
    def text(self) -> str:
        """The text of a string item."""
        return _ContentWalk(self.content).text()

    def with_text(self, text: str) -> "Struct":
        """Return the same string item with another text of the same length."""
        return replace(self, content=encode_text(text))

    def cut(self) -> "tuple[Struct, Struct] | None":
        """Cut a string or a list of values in two; None if it is one value."""
        if self.kind == STRING:
            text = self.text
            middle = len(text) // 2
            first, rest = encode_text(text[:middle]), encode_text(text[middle:])
            return self._cut_at(count_units(text[:middle]), first, rest)
        if self.kind in (ANY, JSON):
            starts = _ContentWalk(self.content).value_starts(self.kind)
            middle = (len(starts) - 1) // 2
            first = write_var_uint(middle) + self.content[starts[0] : starts[middle]]
            rest = write_var_uint(len(starts) - 1 - middle) + self.content[starts[middle] :]
            return self._cut_at(middle, first, rest)
        return None

    def _cut_at(self, length: int, first: bytes, rest: bytes) -> "tuple[Struct, Struct] | None":
        if length == 0:
            return None
        before = (self.client, self.clock + length - 1)
        info = self.kind | _HAS_ORIGIN | (self.info & _HAS_RIGHT_ORIGIN)
        head = bytes((info,)) + _encode_id(before)
        if self.right_origin is not None:
            head += _encode_id(self.right_origin)
        left = replace(self, length=length, content=first)
        right = replace(
            self,
            clock=self.clock + length,
            length=self.length - length,
            info=info,
            origin=before,
            parent=None,
            head=head,
            content=rest,
        )
        return left, right

    def as_deleted(self) -> "Struct":
        """Return it as a deleted item, to which other structs can still refer."""
        if self.kind in (GC, SKIP):
            return self
        info = (self.info & 0xE0) | DELETED
        head = bytes((info,)) + self.head[1:]
        return replace(self, info=info, head=head, content=write_var_uint(self.length))

    def as_collected(self) -> "Struct":
        """Return it as garbage-collected: shorter, but items that refer to it are dropped."""
        content = write_var_uint(self.length)
        return Struct(self.client, self.clock, self.length, GC, None, None, None, b"\0", content)


class Range(msgspec.Struct, frozen=True, gc=False):
    """A range of clocks of one client that an update deletes."""

    client: int
    clock: int
    length: int


def read_update(update: bytes) -> tuple[list[Struct], list[Range]]:
    """Return the structs and deleted ranges of an update; raises `BrokenUpdate`."""
    walk = StructWalk(update)
    structs: list[Struct] = []
    for _ in range(walk.count()):
        count, client, clock = walk.count(), walk.varuint(), walk.clock()
        for _ in range(count):
            struct = walk.read_struct(client, clock)
            structs.append(struct)
            clock += struct.length
    deleted: list[Range] = []
    for _ in range(walk.count()):
        client = walk.varuint()
        deleted += [Range(client, walk.clock(), walk.clock()) for _ in range(walk.count())]
    walk.end()
    return structs, deleted


def write_update(structs: list[Struct], deleted: list[Range]) -> bytes:
    """Encode an update; the structs of one client must follow one another without a gap."""
    sections: dict[int, list[Struct]] = {}
    for struct in structs:
        sections.setdefault(struct.client, []).append(struct)
    parts = [write_var_uint(len(sections))]
    for client, section in sections.items():
        parts += map(write_var_uint, (len(section), client, section[0].clock))
        parts += (struct.encoded for struct in section)
    ranges: dict[int, list[Range]] = {}
    for one in deleted:
        ranges.setdefault(one.client, []).append(one)
    parts.append(write_var_uint(len(ranges)))
    for client, of_client in ranges.items():
        parts += map(write_var_uint, (client, len(of_client)))
        for one in of_client:
            parts += map(write_var_uint, (one.clock, one.length))
    return b"".join(parts)


def count_units(text: str) -> int:
    """Return the length of a text for Yjs: its UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def encode_text(text: str) -> bytes:
    """Encode the content of a string item."""
    encoded = text.encode()
    return write_var_uint(len(encoded)) + encoded


def _encode_id(of: Id) -> bytes:
    return write_var_uint(of[0]) + write_var_uint(of[1])


class StructWalk(Walk):
    """Walks an update and returns each struct with its references."""

    __slots__ = ()

    def read_struct(self, client: int, clock: int) -> Struct:
        start = self._at
        info = self.byte()
        kind = info & 0x1F
        origin = right_origin = parent = None
        body = self._at
        if kind in (GC, SKIP):
            length = self.clock()
        else:
            if info & _HAS_ORIGIN:
                origin = self.id()
            if info & _HAS_RIGHT_ORIGIN:
                right_origin = self.id()
            if not info & 0xC0:
                parent = self.parent_id()
                if info & 0x20:
                    self.text()
            body = self._at
            length = count_units(self.text()) if kind == STRING else self.content(kind)
        head, content = self._data[start:body], self._data[body : self._at]
        return Struct(client, clock, length, info, origin, right_origin, parent, head, content)

    def id(self) -> Id:
        return self.varuint(), self.clock()

    def parent_id(self) -> Id | None:
        if self.varuint() == 1:
            self.text()
            return None
        return self.id()


class _ContentWalk(Walk):
    """Walks the content of one struct."""

    __slots__ = ()

    def value_starts(self, kind: int) -> list[int]:
        """Return the offset of each value of a list, and the end of the last one."""
        starts = []
        for _ in range(self.count()):
            starts.append(self._at)
            if kind == ANY:
                self.value(0)
            else:
                self.text()
        return [*starts, self._at]
