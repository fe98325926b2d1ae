"""Parse and build the binary frames of y-websocket, and refuse harmful ones.

Every function here that is given bytes from the network raises `ProtocolError("bad_frame")`
and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from pycrdt import (
    Decoder,
    Doc,
    YMessageType,
    YSyncMessageType,
    create_awareness_message,
    create_sync_message,
    create_update_message,
    write_message,
)

from isshoni.session.errors import ProtocolError

_QUERY_AWARENESS = 3
_LONGEST_HEADER_BYTES = 8
"""Kind, sync type, and a length that fits in 32 bits. Bounded because pycrdt's reader
would follow an endless integer, in quadratic time."""
_UPDATE = bytes((YMessageType.SYNC, YSyncMessageType.SYNC_UPDATE))
_SHORT_HEADER_BYTES = 4
"""Kind, sync type, and a length of up to two bytes, each with seven bits of it."""
_MORE = 0x80
"""Set in each byte of a length but the last one."""
_EMPTY_UPDATE = b"\x00\x00"


class SyncStep1(msgspec.Struct, frozen=True, gc=False):
    """The sender's state vector; the answer is a step 2."""

    state: bytes


class SyncUpdate(msgspec.Struct, frozen=True, gc=False):
    """Changes: a step 2 or an update, which mean the same to a receiver."""

    update: bytes

    @property
    def carries_changes(self) -> bool:
        """True if `saved` counts this frame; false for an empty step 2."""
        return self.update != _EMPTY_UPDATE


class AwarenessUpdate(msgspec.Struct, frozen=True, gc=False):
    """The present clients and their pointers; never stored."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """A request for the awareness of all clients."""


YFrame = SyncStep1 | SyncUpdate | AwarenessUpdate | QueryAwareness


def read_short_update(frame: bytes) -> bytes | None:
    """Return the changes in an update frame of up to 16 kB; None if it is another frame."""
    if frame[:2] != _UPDATE or len(frame) < _SHORT_HEADER_BYTES:
        return None
    low = frame[2]
    if low < _MORE:
        return frame[3:] if len(frame) == low + 3 else None
    high = frame[3]
    is_whole = high < _MORE and len(frame) == (high << 7 | low ^ _MORE) + 4
    return frame[4:] if is_whole else None


def parse_y_frame(frame: bytes) -> YFrame:
    """Parse the header of one binary frame; its payload is not validated."""
    # Most frames are this one, and the reader of pycrdt is written in Python.
    if (update := read_short_update(frame)) is not None:
        return SyncUpdate(update)
    header = Decoder(frame[:_LONGEST_HEADER_BYTES])
    try:
        kind = header.read_var_uint()
        if kind == _QUERY_AWARENESS:
            return QueryAwareness()
        if kind == YMessageType.AWARENESS:
            return AwarenessUpdate(_read_payload(frame, header))
        if kind == YMessageType.SYNC:
            return _read_sync(frame, header)
    except (IndexError, RuntimeError):
        raise ProtocolError("bad_frame", "a y-websocket frame ends too early") from None
    raise ProtocolError("bad_frame", f"message kind {kind} is not one of: 0, 1, 3")


def _read_sync(frame: bytes, header: Decoder) -> SyncStep1 | SyncUpdate:
    step = header.read_var_uint()
    payload = _read_payload(frame, header)
    if step == YSyncMessageType.SYNC_STEP1:
        return SyncStep1(payload)
    if step in (YSyncMessageType.SYNC_STEP2, YSyncMessageType.SYNC_UPDATE):
        return SyncUpdate(payload)
    raise ProtocolError("bad_frame", f"sync message {step} is not one of: 0, 1, 2")


def _read_payload(frame: bytes, header: Decoder) -> bytes:
    length = header.read_var_uint()
    payload = frame[header.i0 :]
    if len(payload) != length:
        lengths = f"{length} bytes announced, {len(payload)} there"
        raise ProtocolError("bad_frame", f"a y-websocket frame of the wrong length: {lengths}")
    return payload


def make_step1(doc: Doc[Any]) -> bytes:
    """Return the frame with the state vector of `doc`."""
    return create_sync_message(doc)


def make_step1_at(state: bytes) -> bytes:
    """Return the frame with a state vector."""
    return bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP1)) + write_message(state)


def make_step2(update: bytes) -> bytes:
    """Return the frame that answers a step 1 with the changes that its sender lacks."""
    return bytes((YMessageType.SYNC, YSyncMessageType.SYNC_STEP2)) + write_message(update)


def make_update(update: bytes) -> bytes:
    """Return the frame with a new change."""
    return create_update_message(update)


def make_awareness(payload: bytes) -> bytes:
    """Return the frame with an awareness update."""
    return create_awareness_message(payload)


def diff(doc: Doc[Any], state: bytes) -> bytes:
    """Return an update with all that a document at `state` lacks."""
    _check_count(state)
    with _translated("a state vector that Yjs cannot read"):
        return doc.get_update(state)


def apply_update(doc: Doc[Any], update: bytes) -> None:
    """Merge an update from elsewhere into `doc`."""
    if update == _EMPTY_UPDATE:
        return
    _check_count(update)
    with _translated("an update that Yjs cannot read"):
        doc.apply_update(update)


def _check_count(payload: bytes) -> None:
    """Check the leading count of clients: yrs allocates memory for that many at once.

    Four bytes can announce a table of hundreds of megabytes.
    """
    try:
        count = Decoder(payload[:_LONGEST_HEADER_BYTES]).read_var_uint()
    except (IndexError, RuntimeError):
        raise ProtocolError("bad_frame", "a Yjs payload ends too early") from None
    if count > len(payload):
        raise ProtocolError("bad_frame", f"{count} clients in {len(payload)} bytes")


@contextmanager
def _translated(reason: str) -> Iterator[None]:
    try:
        yield
    except Exception as fault:
        raise ProtocolError("bad_frame", f"{reason}: {fault!s:.200}") from None
    except BaseException as panic:
        # A panic of the Rust library derives from BaseException, and its class
        # cannot be imported.
        if type(panic).__name__ != "PanicException":
            raise
        raise ProtocolError("bad_frame", f"{reason}: {panic!s:.200}") from None
