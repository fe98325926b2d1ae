"""Find out which protocol a client speaks, from its handshake and from its first messages."""

import re
from collections.abc import Iterable

from isshoni.relay.core.frames import BINARY
from isshoni.relay.core.handshake import Handshake
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.hocuspocus_frames import is_admission, is_token
from isshoni.relay.core.profiles.names import (
    ACTION_CABLE,
    HOCUSPOCUS,
    PHOENIX,
    SOCKET_IO,
    YJS,
)
from isshoni.relay.core.session_key import find_parameter
from isshoni.session.errors import ProtocolError
from isshoni.session.server.yjs_update import check_state
from isshoni.session.sync import SyncStep1, SyncUpdate, parse_y_frame

_CABLE = "actioncable-v1-json"
_PHOENIX_PATH = re.compile(r"[^?]*/websocket(\?|$)")


def guess_by_handshake(handshake: Handshake) -> str | None:
    """Return the protocol that a request names; None if it names none that is known."""
    target = handshake.target
    if find_parameter(target, "EIO") == "4" and find_parameter(target, "transport") == "websocket":
        return SOCKET_IO
    offered = handshake.headers("sec-websocket-protocol")
    if _CABLE in (name.strip() for header in offered for name in header.split(",")):
        return ACTION_CABLE
    if _PHOENIX_PATH.match(target) and (find_parameter(target, "vsn") or "").startswith("2."):
        return PHOENIX
    return None


def guess_by_client(message: Message) -> str | None:
    """Return the protocol that a client's message begins; None if it begins none."""
    if message.opcode != BINARY:
        return None
    if _is_step1(message.payload):
        return YJS
    return HOCUSPOCUS if is_token(message.payload) else None


def is_confirmed(protocol: str, answers: Iterable[Message]) -> bool:
    """True if a program's messages show that it speaks a protocol, too."""
    payloads = [message.payload for message in answers if message.opcode == BINARY]
    shows = is_admission if protocol == HOCUSPOCUS else _is_sync
    return any(map(shows, payloads))


def _is_step1(payload: bytes) -> bool:
    try:
        frame = parse_y_frame(payload)
        if isinstance(frame, SyncStep1):
            check_state(frame.state)
            return True
    except ProtocolError:
        pass
    return False


def _is_sync(payload: bytes) -> bool:
    try:
        return isinstance(parse_y_frame(payload), SyncStep1 | SyncUpdate)
    except ProtocolError:
        return False
