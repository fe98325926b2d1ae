"""The text frames of docs/protocol.md: parse those of clients, encode those of servers."""

from typing import Annotated, Any, Literal

import msgspec

from isshoni.session.chat_content import MAX_EMOJI_CHARACTERS, REACTIONS, About, Files
from isshoni.session.errors import ProtocolError
from isshoni.session.identifiers import Counter, Identifier, Natural

PROTOCOL_VERSION = 1
MAX_TEXT_CHARACTERS = 4000
MAX_FRAME_BYTES = 1 << 20
"""Longest text frame, and longest binary frame to a server that announces no limit."""
MAX_CANVAS_FRAME_BYTES = 4 << 20
"""Longest binary frame: an ordinary Yjs client sends any change in a single frame."""
PIECE_BYTES = 512 << 10
"""Isshoni's clients split a larger change into pieces of this size: others are served between."""
MAX_RECALLED = 1000
"""Most events in one `recalled` frame; a client that has more sends several."""
MAX_TOKEN_CHARACTERS = 4096
MESSAGES_AFTER_PAUSE = 50
"""The number of messages accepted at once after the pause that `rate_limited` asks for."""
MAX_HISTORY_PAGE = 200

ChatText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
Capability = Literal["migrate", "canvas", "replica", "batch", "regions"]


class Position(msgspec.Struct, frozen=True):
    """A place in a session's chat log: its epoch, and the last seq received."""

    epoch: Annotated[str, msgspec.Meta(max_length=64)]
    seq: Natural


class RestoreSession(msgspec.Struct, frozen=True, tag_field="type", tag="restore_session"):
    """The client's first frame: its id, and its position in the log."""

    session_id: str
    client_id: Identifier | None = None
    generation: Natural = 0
    position: Position | None = None
    gap_ms: Natural | None = None
    """Milliseconds without a connection; 0 when the client moves, None for its first restore."""
    can: tuple[str, ...] = ()
    """Capabilities this server does not know are allowed, and ignored."""
    held: msgspec.Raw = msgspec.Raw(b"null")
    """The chat event at `position`, byte for byte: its MAC proves that the log had it."""
    region_proof: Annotated[str, msgspec.Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    """The latest one that a server sent: an old primary that comes back learns by it."""


class Chat(msgspec.Struct, frozen=True, tag_field="type", tag="chat", omit_defaults=True):
    """One chat message from a client."""

    n: Counter
    text: ChatText
    about: About | None = None
    """The message that this one answers, changes or reacts to."""
    files: Files = ()
    """Files of the session."""


class RecalledEvents(msgspec.Struct, frozen=True, tag_field="type", tag="recalled"):
    """The events that a client has of a log that lost its end: the answer to `Recall`."""

    epoch: Annotated[str, msgspec.Meta(max_length=64)]
    events: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_RECALLED)]
    """Chat events, each byte for byte as it was received."""


class Authenticate(msgspec.Struct, frozen=True, tag_field="type", tag="authenticate"):
    """A new token for this connection."""

    token: Annotated[str, msgspec.Meta(max_length=MAX_TOKEN_CHARACTERS)]


class History(msgspec.Struct, frozen=True, tag_field="type", tag="history"):
    """A request for older messages: the last `limit` of those with seq < `before`."""

    before: Counter
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_HISTORY_PAGE)] = 100


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """A heartbeat; `t` comes back unchanged."""

    t: msgspec.Raw = msgspec.Raw()


Inbound = RestoreSession | Chat | History | RecalledEvents | Authenticate | Ping


class ServerIdentity(msgspec.Struct, frozen=True):
    """The release and colour of the process that answers."""

    version: str
    colour: str
    heartbeat_seconds: float


class GrantedPermit(msgspec.Struct, frozen=True):
    """What this connection may do, and for how long."""

    subject: str | None
    """The user that the token names; None for a guest."""
    role: str
    """`read` or `write`."""
    expires_in_ms: int | None
    name: str | None = None


class FrameLimits(msgspec.Struct, frozen=True):
    """The largest frames that a client may send."""

    frame_bytes: int = MAX_FRAME_BYTES
    """The limit for binary frames."""


SERVER_LIMITS = FrameLimits(MAX_CANVAS_FRAME_BYTES)


class SessionRestored(msgspec.Struct, frozen=True, tag_field="type", tag="session_restored"):
    """The answer to `RestoreSession`; it brings the client up to date."""

    session_id: str
    client_id: str
    mode: Literal["replay", "full"]
    position: Position
    last_n: int
    chat_history: list[msgspec.Raw]
    """Encoded chat events, oldest first."""
    canvas_state: dict[str, Any] | None
    server: ServerIdentity
    protocol: int = PROTOCOL_VERSION
    permit: GrantedPermit | None = None
    """None from a server of a version without tokens."""
    limits: FrameLimits = FrameLimits()
    """The default is for a server that sends no limits."""
    features: tuple[str, ...] = ()
    """What chat messages may carry; empty from a server of a version before `about`."""
    alternatives: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Origins of the other regions, to try when this address fails; unset without regions."""
    region: str | msgspec.UnsetType = msgspec.UNSET
    region_proof: str | msgspec.UnsetType = msgspec.UNSET
    """Shows servers which region writes, since which term (`RegionMac`)."""


class Authenticated(msgspec.Struct, frozen=True, tag_field="type", tag="authenticated"):
    """The answer to `Authenticate`."""

    permit: GrantedPermit


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="ack"):
    """Message `n` and all before it are in Redis; `seq` is None for a resend."""

    n: int
    seq: int | None


class ChatEvents(msgspec.Struct, frozen=True, tag_field="type", tag="events"):
    """Several chat events, oldest first, for a client that can `batch`."""

    events: list[msgspec.Raw]


class HistoryPage(msgspec.Struct, frozen=True, tag_field="type", tag="history"):
    """The answer to `History`."""

    chat_history: list[msgspec.Raw]
    """Encoded chat events, oldest first."""
    more: bool
    """True if the log has older ones."""


class Saved(msgspec.Struct, frozen=True, tag_field="type", tag="saved"):
    """The first `updates` changing sync frames of this connection are in Redis."""

    updates: int


class Migrate(msgspec.Struct, frozen=True, tag_field="type", tag="migrate"):
    """The server asks the client to move to the other colour, or to another region."""

    to: str
    ticket: str
    within_ms: int
    address: str | msgspec.UnsetType = msgspec.UNSET
    """The origin of the other region."""


class Recall(msgspec.Struct, frozen=True, tag_field="type", tag="recall"):
    """The request for a client's events beyond `after`, where the log ends too early."""

    epoch: str
    after: int


class CanvasChanged(msgspec.Struct, frozen=True, tag_field="type", tag="canvas"):
    """Elements that changed, for a client that reads the canvas as JSON."""

    elements: dict[str, Any]


class ErrorMessage(msgspec.Struct, frozen=True, tag_field="type", tag="error", omit_defaults=True):
    """The error in a frame that the client sent."""

    code: str
    message: str
    n: int | None = None
    expected: int | None = None
    retry_after_ms: int | None = None


Outbound = (
    SessionRestored
    | Authenticated
    | Ack
    | ChatEvents
    | HistoryPage
    | Saved
    | Migrate
    | Recall
    | CanvasChanged
    | ErrorMessage
)

_KNOWN_TYPES = ("restore_session", "chat", "history", "recalled", "authenticate", "ping")
_decoder = msgspec.json.Decoder(Inbound)
_encoder = msgspec.json.Encoder()


class _Tag(msgspec.Struct):
    type: Any = None
    n: Any = None


_tag_decoder = msgspec.json.Decoder(_Tag)


def parse_inbound(frame: str | bytes) -> Inbound:
    """Parse one text frame from a client.

    Raises `ProtocolError` with a code of docs/protocol.md; never anything else,
    whatever the bytes are.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise ProtocolError("too_large", f"a text frame may have at most {MAX_FRAME_BYTES} bytes")
    try:
        message: Inbound = _decoder.decode(frame)
    except msgspec.ValidationError as fault:
        raise _describe_fault(frame, fault) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ProtocolError("bad_json", "this frame is not one JSON object") from None
    # Not in `Chat` itself: plain messages, which are most, would pay for it.
    if isinstance(message, Chat) and message.about is not None:
        _check_reaction(message, message.about)
    return message


def _check_reaction(message: Chat, about: About) -> None:
    characters = len(message.text)
    if about.kind in REACTIONS and characters > MAX_EMOJI_CHARACTERS:
        reason = f"chat: a reaction has at most {MAX_EMOJI_CHARACTERS} characters, not {characters}"
        raise ProtocolError("too_large", reason, n=message.n)


def _describe_fault(frame: str | bytes, fault: msgspec.ValidationError) -> ProtocolError:
    try:
        tag = _tag_decoder.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return ProtocolError("bad_json", "this frame is not one JSON object")
    if tag.type not in _KNOWN_TYPES:
        known = ", ".join(_KNOWN_TYPES)
        return ProtocolError("unknown_type", f"type {tag.type!r:.80} is not one of: {known}")
    n = tag.n if isinstance(tag.n, int) and 0 < tag.n < 2**53 else None
    too_long = "length <=" in str(fault)
    return ProtocolError("too_large" if too_long else "bad_message", f"{tag.type}: {fault}", n=n)


def encode(message: Outbound) -> bytes:
    """Encode a frame of the server as UTF-8 JSON."""
    return _encoder.encode(message)


def encode_pong(ping: Ping) -> bytes:
    """Encode the answer to `ping`."""
    if not bytes(ping.t):
        return b'{"type":"pong"}'
    return b'{"type":"pong","t":%b}' % bytes(ping.t)


class ChatEnvelope(msgspec.Struct, frozen=True):
    """A message as the log stores it; readers keep fields that they do not know."""

    client_id: str
    n: int
    text: str
    at: int
    """Server clock, milliseconds since 1970."""
    v: int = 1
    """The version of this format."""
    by: str | msgspec.UnsetType = msgspec.UNSET
    """The user that the author's token named; unset for a guest."""
    name: str | msgspec.UnsetType = msgspec.UNSET
    """The author's name, as that token had it."""
    about: Any = msgspec.UNSET
    """An `About`. Any form is readable: one of a later version must not hide the message."""
    files: Any = msgspec.UNSET


def encode_envelope(envelope: ChatEnvelope) -> bytes:
    """Encode an envelope for the log."""
    return _encoder.encode(envelope)


def event_frame(seq: int, envelope: bytes, mac: bytes = b"") -> bytes:
    """Return the `chat` event that clients are sent for an envelope of the log.

    The envelope is copied and not decoded: that is faster, and fields that a newer version
    wrote reach the clients unchanged.
    """
    if not mac:
        return b'{"type":"chat","seq":%d,%b' % (seq, envelope[1:])
    return b'{"type":"chat","seq":%d,"mac":"%b",%b' % (seq, mac, envelope[1:])
