"""Walk over encoded Yjs updates (`UpdateEncoderV1`) without building objects."""

import re
from functools import lru_cache

from isshoni.session.errors import ProtocolError

MAX_NESTING = 100
MAX_CLOCK = (1 << 31) - 1


class BrokenUpdate(ProtocolError):
    """Bytes that are no Yjs update or state vector, or that Yjs cannot apply."""

    def __init__(self, reason: str) -> None:
        super().__init__("bad_frame", reason)


def decode_text(encoded: bytes) -> str:
    """Decode UTF-8; raises `BrokenUpdate`."""
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise BrokenUpdate("a string is not UTF-8") from None


class Walk:
    """Reads encoded bytes in order, and never beyond their end."""

    __slots__ = ("_at", "_data", "_size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size = len(data)
        self._at = 0

    def varuint(self) -> int:
        # No function call for each byte: a walk spends most of its time here.
        data, at, size = self._data, self._at, self._size
        value = shift = 0
        while shift < 63:
            if at >= size:
                raise BrokenUpdate("it ends too early")
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._at = at
                return value
            shift += 7
        raise BrokenUpdate("a number is too long")

    def byte(self) -> int:
        at = self._at
        if at >= self._size:
            raise BrokenUpdate("it ends too early")
        self._at = at + 1
        return self._data[at]

    def count(self) -> int:
        """Read a count of things that follow; each takes at least a byte."""
        count = self.varuint()
        if count > self._size - self._at:
            raise BrokenUpdate("a count exceeds the remaining bytes")
        return count

    def clock(self) -> int:
        clock = self.varuint()
        if clock > MAX_CLOCK:
            raise BrokenUpdate("a clock is over the maximum")
        return clock

    def skip(self, size: int) -> None:
        if size > self._size - self._at:
            raise BrokenUpdate("it ends too early")
        self._at += size

    def text(self) -> str:
        size = self.varuint()
        start = self._at
        self.skip(size)
        return decode_text(self._data[start : self._at])

    def identity(self) -> None:
        self.varuint()
        self.clock()

    def end(self) -> None:
        if self._at != self._size:
            raise BrokenUpdate("there are extra bytes after its end")

    def beginning(self) -> tuple[int, int] | None:
        """Return the client and first clock of the next structs; None if there are none."""
        at = self._at
        count, client, clock = self.count(), self.varuint(), self.clock()
        self._at = at
        return (client, clock) if count else None

    def structs(self) -> None:
        count = self.count()
        self.varuint()
        clock = self.clock()
        for _ in range(count):
            clock += self.struct()
            if clock > MAX_CLOCK:
                raise BrokenUpdate("a clock is over the maximum")

    def struct(self) -> int:
        """Walk over one struct; return the least number of clocks that it takes."""
        info = self.byte()
        kind = info & 0x1F
        if kind in (0, 10):
            return self.clock()
        if info & 0x80:
            self.identity()
        if info & 0x40:
            self.identity()
        if not info & 0xC0:
            self.parent()
            if info & 0x20:
                self.text()
        return self.content(kind)

    def parent(self) -> None:
        if self.varuint() == 1:
            self.text()
        else:
            self.identity()

    def content(self, kind: int) -> int:
        if kind == 8:
            count = self.count()
            self.values(count, 0)
            return count
        if kind == 1:
            return self.clock()
        if kind == 2:
            count = self.count()
            for _ in range(count):
                self.text()
            return count
        self.single_content(kind)
        return 1

    def single_content(self, kind: int) -> None:
        if kind == 3:
            self.skip(self.varuint())
        elif kind in (4, 5):
            self.text()
        elif kind == 6:
            self.text()
            self.text()
        elif kind == 7:
            self.shared_type()
        elif kind == 9:
            self.text()
            self.value(0)
        else:
            raise BrokenUpdate(f"content {kind} is unknown")

    def shared_type(self) -> None:
        kind = self.varuint()
        if kind > 6:
            raise BrokenUpdate(f"type {kind} is unknown")
        if kind in (3, 5):
            self.text()

    def values(self, count: int, depth: int) -> None:
        """Walk over plain values; runs of numbers and points, as in drawings, by a regex."""
        if count >= 3 and (run := _numbers_and_points(count).match(self._data, self._at)):
            self._at = run.end()
            return
        for _ in range(count):
            self.value(depth)

    def value(self, depth: int) -> None:
        """Walk over one plain value (lib0's `Any`)."""
        tag = self.byte()
        if tag == 119:
            self.text()
        elif tag == 125:
            self.signed()
        elif tag in _FIXED_SIZES:
            self.skip(_FIXED_SIZES[tag])
        elif tag in (117, 118):
            if depth >= MAX_NESTING:
                raise BrokenUpdate(f"values nest deeper than {MAX_NESTING}")
            count = self.count()
            if tag == 117:
                self.values(count, depth + 1)
                return
            if run := _short_entries(count).match(self._data, self._at):
                self._at = run.end()
                return
            for _ in range(count):
                self.text()
                self.value(depth + 1)
        elif tag == 116:
            self.skip(self.varuint())
        else:
            raise BrokenUpdate(f"value {tag} is unknown")

    def signed(self) -> None:
        for _ in range(10):
            if self.byte() < 0x80:
                return
        raise BrokenUpdate("a number is too long")


_FIXED_SIZES = {127: 0, 126: 0, 124: 4, 123: 8, 122: 8, 121: 0, 120: 0}

NUMBER = rb"(?>\x7d[\x80-\xff]{0,9}[\x00-\x7f]|\x7c.{4}|[\x7a\x7b].{8}|[\x78\x79\x7e\x7f])"


@lru_cache(maxsize=1024)
def _numbers_and_points(count: int) -> re.Pattern[bytes]:
    """Return a regex for `count` encoded numbers, or pairs of numbers."""
    one = rb"(?>%b|\x75\x02%b%b)" % (NUMBER, NUMBER, NUMBER)
    return re.compile(rb"(?s:%b{%d})" % (one, count))


SHORT_TEXT = b"(?>%b)" % b"|".join(
    b"%b[\x00-\x7f]{%d}" % (re.escape(bytes((size,))), size) for size in (*range(1, 32), 0)
)
"""A text of up to 31 ASCII characters, after its length."""


@lru_cache(maxsize=256)
def _short_entries(count: int) -> re.Pattern[bytes]:
    """Return a regex for `count` entries of a map: short keys, and numbers or short texts."""
    if count > 64:
        return _NEVER
    return re.compile(rb"(?s:(?>%b(?>%b|\x77%b)){%d})" % (SHORT_TEXT, NUMBER, SHORT_TEXT, count))


_NEVER = re.compile(rb"(?!)")
