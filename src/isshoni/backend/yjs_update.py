"""Checks on Yjs updates before Yjs sees them: they come from strangers.

The decoder of yrs trusts counts and nesting: a frame of ten bytes can make it allocate
gigabytes, and deep nesting overflows its stack, which ends the process. So the form of an
update (the v1 encoding of Yjs, `UpdateEncoderV1`) is walked here first. The walk reads; it
keeps nothing.
"""

from dataclasses import dataclass

import msgspec
import pycrdt

from isshoni.session.errors import ProtocolError

MAX_NESTING = 100
_MAX_CLOCK = (1 << 31) - 1

EMPTY_UPDATE = b"\x00\x00"
"""An update that changes nothing."""
EMPTY_STATE = b"\x00"


class BrokenUpdate(ProtocolError):
    """Bytes that are no Yjs update or state vector, or that Yjs cannot take."""

    def __init__(self, reason: str) -> None:
        super().__init__("bad_frame", reason)


def check_update(update: bytes) -> None:
    """Raise `BrokenUpdate` unless Yjs can decode `update`."""
    walk = _Walk(update)
    for _ in range(walk.count()):
        walk.structs()
    walk.delete_set()
    walk.end()
    try:
        pycrdt.merge_updates(update)
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None


def check_state(state: bytes) -> None:
    """Raise `BrokenUpdate` unless `state` is a state vector."""
    walk = _Walk(state)
    for _ in range(walk.count()):
        walk.varuint()
        walk.clock()
    walk.end()


def find_starts(update: bytes) -> list[tuple[int, int]]:
    """Give the authors of an update that was checked, and the clock at which each begins."""
    walk = _Walk(update)
    sections = walk.count()
    starts: list[tuple[int, int]] = []
    for section in range(sections):
        beginning = walk.beginning()
        if beginning is not None:
            starts.append(beginning)
        if section < sections - 1:  # nearly every update has one, whose content need not be read
            walk.structs()
    return starts


def parse_state(state: bytes) -> dict[int, int]:
    """Read a state vector: the clock that each author has got to."""
    walk = _Walk(state)
    clocks = {walk.varuint(): walk.clock() for _ in range(walk.count())}
    walk.end()
    return clocks


@dataclass(frozen=True, slots=True)
class Announcement:
    """What somebody says of themselves in an awareness update (y-protocols)."""

    client: int
    clock: int
    state: bytes
    """JSON; `null` for one that left."""


def parse_awareness(payload: bytes) -> list[Announcement]:
    """Read an awareness update; raises `BrokenUpdate`."""
    walk = _Walk(payload)
    announcements: list[Announcement] = []
    for _ in range(walk.count()):
        client, clock, state = walk.varuint(), walk.varuint(), walk.text()
        try:
            msgspec.json.decode(state, type=msgspec.Raw)
        except msgspec.DecodeError:
            raise BrokenUpdate("an awareness state is not JSON") from None
        announcements.append(Announcement(client, clock, state.encode()))
    walk.end()
    return announcements


def encode_awareness_states(announcements: list[Announcement]) -> bytes:
    """Make an awareness update."""
    parts = [pycrdt.write_var_uint(len(announcements))]
    for one in announcements:
        parts += (pycrdt.write_var_uint(one.client), pycrdt.write_var_uint(one.clock))
        parts += (pycrdt.write_var_uint(len(one.state)), one.state)
    return b"".join(parts)


def translate_yjs_fault(fault: BaseException) -> Exception:
    """Make a `BrokenUpdate` of what pycrdt raised; anything else goes on.

    A panic inside pycrdt is a `BaseException`, not an `Exception`, and its class is not
    exported: it is told by its name.
    """
    if isinstance(fault, Exception) or type(fault).__name__ == "PanicException":
        return BrokenUpdate(f"an update that Yjs cannot take: {fault!s:.80}")
    raise fault


class _Walk:
    """A walk over encoded bytes that never goes beyond their end."""

    __slots__ = ("_at", "_data", "_size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size = len(data)
        self._at = 0

    def varuint(self) -> int:
        value = shift = 0
        while shift < 63:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
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
        """Read how many things follow: each takes a byte or more."""
        count = self.varuint()
        if count > self._size - self._at:
            raise BrokenUpdate("it announces more than it holds")
        return count

    def clock(self) -> int:
        clock = self.varuint()
        if clock > _MAX_CLOCK:
            raise BrokenUpdate("a clock is too great")
        return clock

    def skip(self, size: int) -> None:
        if size > self._size - self._at:
            raise BrokenUpdate("it ends too early")
        self._at += size

    def text(self) -> str:
        size = self.varuint()
        start = self._at
        self.skip(size)
        try:
            return self._data[start : self._at].decode()
        except UnicodeDecodeError:
            raise BrokenUpdate("a text is not UTF-8") from None

    def identity(self) -> None:
        self.varuint()
        self.clock()

    def end(self) -> None:
        if self._at != self._size:
            raise BrokenUpdate("something follows its end")

    def delete_set(self) -> None:
        for _ in range(self.count()):
            self.varuint()
            for _ in range(self.count()):
                if self.clock() + self.clock() > _MAX_CLOCK:
                    raise BrokenUpdate("a clock is too great")

    def beginning(self) -> tuple[int, int] | None:
        """Look at whose structs follow and where they begin; None when there are none."""
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
            if clock > _MAX_CLOCK:
                raise BrokenUpdate("a clock is too great")

    def struct(self) -> int:
        """Walk over one struct; gives how much of the clock it surely takes."""
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
            for _ in range(count):
                self.value(0)
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
            for _ in range(self.count()):
                if tag == 118:
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
