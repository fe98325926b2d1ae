"""WebSocket close codes, and whether a client should come back after one."""

from enum import IntEnum


class CloseCode(IntEnum):
    """A code of docs/protocol.md; the number is the wire value."""

    NORMAL = 1000
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    RESUME = 4000
    BAD_FRAMES = 4400
    UNAUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    BAD_SESSION_ID = 4404
    NO_HELLO = 4408
    SESSIONS_FULL = 4409
    DELETED = 4410
    TOO_LARGE = 4413
    OTHER_PROTOCOL = 4426
    TOO_FAST = 4429


def should_come_back(code: int) -> bool:
    """True if a connection closed with `code` may be opened again.

    False only for 4400–4499: y-websocket's convention for a refusal that will not change.
    """
    return not 4400 <= code <= 4499


def should_come_back_at_once(code: int) -> bool:
    """True if `code` asks for a prompt return: this or another server can serve the client."""
    return code in (CloseCode.SERVICE_RESTART, CloseCode.RESUME)
