"""The text frames of docs/protocol.md as a client parses them."""

from typing import Any

import msgspec

from isshoni.session.errors import ProtocolError
from isshoni.session.identifiers import Counter
from isshoni.session.messages import (
    PROTOCOL_VERSION,
    Ack,
    Authenticated,
    CanvasChanged,
    ChatEvents,
    ErrorMessage,
    HistoryPage,
    Migrate,
    Recall,
    Saved,
    SessionRestored,
)


class ChatEvent(msgspec.Struct, frozen=True, tag_field="type", tag="chat"):
    """One message of the session's log."""

    seq: Counter
    client_id: str = ""
    n: int = 0
    text: str = ""
    at: int = 0
    """Server clock, milliseconds since 1970."""
    by: str | None = None
    """The user that the author's token named; None for a guest."""
    name: str | None = None
    unreadable: bool = False
    """True if the log has an entry at this seq that cannot be read."""
    about: Any = None
    """As the log has it; `Conversation` and `read_about` understand it."""
    files: Any = None
    """As the log has it; `Conversation` and `read_files` understand it."""

    def __post_init__(self) -> None:
        """Raise unless a readable message has an author, a number and a text."""
        if not self.unreadable and not (self.client_id and self.n and self.text):
            raise ValueError("a chat event without client_id, n or text")


class OtherProtocol(msgspec.Struct, frozen=True):
    """A restore by a server that speaks a later version of the protocol."""

    version: int


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""


FromServer = (
    SessionRestored
    | Authenticated
    | ChatEvent
    | ChatEvents
    | HistoryPage
    | Ack
    | Saved
    | Migrate
    | Recall
    | CanvasChanged
    | ErrorMessage
    | Pong
)

_KNOWN_TYPES = frozenset(
    (
        "session_restored",
        "authenticated",
        "chat",
        "events",
        "history",
        "ack",
        "saved",
        "migrate",
        "recall",
        "canvas",
        "error",
        "pong",
    )
)
_decoder = msgspec.json.Decoder(FromServer)
_history_decoder = msgspec.json.Decoder(ChatEvent)


class _Tag(msgspec.Struct):
    type: Any = None
    protocol: Any = None


_tag_decoder = msgspec.json.Decoder(_Tag)


def parse_from_server(frame: str | bytes) -> FromServer | OtherProtocol | None:
    """Parse one text frame from a server; None for a type newer than this client.

    Raises `ProtocolError`, and nothing else, whatever the frame is.
    """
    try:
        message: FromServer = _decoder.decode(frame)
    except msgspec.ValidationError as fault:
        tag = _read_tag(frame)
        if _is_of_newer_type(tag):
            return None
        if _is_of_later_protocol(tag):
            return OtherProtocol(tag.protocol)
        raise ProtocolError("bad_message", str(fault)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ProtocolError("bad_json", "this frame is not one JSON object") from None
    if isinstance(message, SessionRestored) and message.protocol > PROTOCOL_VERSION:
        return OtherProtocol(message.protocol)
    return message


def parse_history(restored: SessionRestored) -> list[ChatEvent]:
    """Parse the `chat_history` of a restore."""
    return parse_events(restored.chat_history)


def parse_events(raw: list[msgspec.Raw]) -> list[ChatEvent]:
    """Parse the `chat_history` of a restore or of a page; raises `ProtocolError`."""
    try:
        return [_history_decoder.decode(event) for event in raw]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
        raise ProtocolError("bad_message", f"chat_history: {fault}") from None


def _read_tag(frame: str | bytes) -> _Tag:
    try:
        return _tag_decoder.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return _Tag()


def _is_of_later_protocol(tag: _Tag) -> bool:
    if tag.type != "session_restored":
        return False
    return type(tag.protocol) is int and tag.protocol > PROTOCOL_VERSION


def _is_of_newer_type(tag: _Tag) -> bool:
    return isinstance(tag.type, str) and tag.type not in _KNOWN_TYPES
