"""The headers of every response: what the page may load, and how long it may be cached."""

from collections.abc import Sequence

from starlette.types import Message, Scope, Send

_CONNECT = "connect-src 'self' data: blob:"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        # WebAssembly: Excalidraw cuts fonts down with it when a drawing is exported.
        "script-src 'self' 'wasm-unsafe-eval'",
        # Excalidraw, as React does, writes styles into elements and into <style>.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        _CONNECT,
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_DEFAULTS = {
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}

Headers = dict[bytes, bytes]


def make_headers(embed_hosts: Sequence[str] = (), regions: Sequence[str] = ()) -> Headers:
    """Return the default headers; the page may embed pages of the origins `embed_hosts`.

    It may connect to the origins of other `regions`.
    """
    policy = "; ".join((_POLICY, f"frame-src {' '.join(embed_hosts)}")) if embed_hosts else _POLICY
    reached = [one for origin in regions for one in (origin, "ws" + origin.removeprefix("http"))]
    policy = policy.replace(_CONNECT, " ".join((_CONNECT, *reached)))
    return _DEFAULTS | {b"content-security-policy": policy.encode()}


def add_headers(scope: Scope, send: Send, defaults: Headers) -> Send:
    """Wrap `send` so that a response gets the default headers that it does not set itself."""
    if scope["type"] != "http":
        return send

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message["headers"]}
            more = [header for header in defaults.items() if header[0] not in present]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return send_with_headers
