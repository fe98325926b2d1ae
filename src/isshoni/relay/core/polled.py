"""The namespaces that Socket.IO clients have joined by long polling, before they upgrade.

The connect packets of a client with the default transports come by HTTP. A new program needs them,
when the client moves by its WebSocket later.
"""

from isshoni.relay.core.profiles.socketio_packets import (
    CONNECT,
    DISCONNECT,
    parse_packet,
    without_recovery,
)

KEEP_SECONDS = 120.0
"""After the last request of a session: it sends a pong at least every 25 s."""
MOST_SESSIONS = 20_000
MOST_BYTES = 65_536
"""Of the connect packets of one session; with more the client cannot be moved."""
_SEPARATOR = b"\x1e"


class Polled:
    """The connect packets by session, oldest request first; the oldest are forgotten."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[float, dict[bytes, bytes]]] = {}

    def add(self, sid: str, body: bytes, now: float) -> None:
        """Record the packets of one request."""
        _, connects = self._sessions.pop(sid, (now, {}))
        for payload in body.split(_SEPARATOR):
            packet = parse_packet(payload)
            if packet is not None and packet.kind == CONNECT:
                connects[packet.namespace] = without_recovery(packet)
            elif packet is not None and packet.kind == DISCONNECT:
                connects.pop(packet.namespace, None)
        self._sessions[sid] = (now, connects)
        while self._sessions:
            oldest = next(iter(self._sessions))
            is_late = now - self._sessions[oldest][0] > KEEP_SECONDS
            if not is_late and len(self._sessions) <= MOST_SESSIONS:
                return
            del self._sessions[oldest]

    def take(self, sid: str) -> dict[bytes, bytes]:
        """Return the connect packet of each namespace, and forget the session; {}: unknown."""
        _, connects = self._sessions.pop(sid, (0.0, {}))
        return connects if sum(map(len, connects.values())) <= MOST_BYTES else {}
