"""Allow pages from the other regions to read the answers about sessions.

Such a page was loaded from the other region, and its session has moved here. Its browser hands it
an answer only if the server allows its origin (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).
"""

from collections.abc import Sequence

from starlette.types import Message, Receive, Scope, Send

from isshoni.backend.security.origins import is_region_origin

Fields = list[tuple[bytes, bytes]]

_ANSWER: Fields = [(b"access-control-expose-headers", b"retry-after")]
_PREFLIGHT: Fields = [
    (b"access-control-allow-methods", b"GET, PUT, POST, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"600"),
]
# A cached answer to a page of one origin must not be shown to a page of another.
_VARY: Fields = [(b"vary", b"origin")]


def is_preflight(scope: Scope) -> bool:
    """True if a browser asks whether a page of another origin may send a request."""
    asks = any(name == b"access-control-request-method" for name, _ in scope["headers"])
    return bool(scope["method"] == "OPTIONS" and asks)


async def answer_preflight(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a preflight; `send` adds for which origin."""
    del scope, receive
    await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
    await send({"type": "http.response.body", "body": b""})


def allow_regions(scope: Scope, send: Send, regions: Sequence[str]) -> Send:
    """Wrap `send` so that pages of other regions, and no others, may read the answer."""
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    may_read = len(origins) == 1 and is_region_origin(origins[0].decode("latin-1"), regions)
    allowed = [(b"access-control-allow-origin", origins[0]), *_ANSWER] if may_read else []

    async def send_with_fields(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *allowed, *_VARY]
        await send(message)

    return send_with_fields
