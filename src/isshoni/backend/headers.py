"""What every answer tells a browser: what the page may load, and how long to keep it."""

import re

from starlette.types import Message, Scope, Send

_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS = [
    (b"content-security-policy", _CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
_HASHED = re.compile(r"/static/.*[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+")
"""A file whose name changes with its content, as bundlers make them."""
_STATIC = "/static/"


def add_headers(scope: Scope, send: Send) -> Send:
    """Wrap `send` so that a response says how it is to be handled."""
    if scope["type"] != "http":
        return send

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message["headers"],
                *_ALWAYS,
                (b"cache-control", _cache_control(scope["path"], message["status"])),
            ]
        await send(message)

    return send_with_headers


def _cache_control(path: str, status: int) -> bytes:
    if status in (200, 304) and _HASHED.fullmatch(path):
        return b"public, max-age=31536000, immutable"
    if path.startswith(_STATIC) or path == "/" or path.startswith("/s/"):
        # Kept, and asked for again by its ETag: a deploy shows at once.
        return b"no-cache"
    return b"no-store"
