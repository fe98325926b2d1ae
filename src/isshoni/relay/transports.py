"""What a relay does with the transports of both ends: dead peers and slow ends are bounded."""

import asyncio
import contextlib
import os
import socket

from isshoni.relay.stream import Stream

HEAD_SECONDS = 10.0
"""For a client to send its handshake."""
ANSWER_SECONDS = 10.0
"""For a program to answer the first handshake."""
REFUSED_SECONDS = 2.0
"""For a client to read why it was refused, and to close."""
LINGER_SECONDS = 30.0
"""For a peer to read what was written before its socket was closed."""
HALF_CLOSED_SECONDS = 30.0
"""For one end to finish after the other has, when a WebSocket is behind it."""
EVICTED_SECONDS = 1.0
"""The time for a client to read the close, though it has not read what came before."""
READ_BYTES = 1 << 16
_CLOSED_BY_PEER = frozenset((7, 8, 9, 11))
"""The states CLOSE, CLOSE-WAIT, LAST-ACK and CLOSING of a TCP socket, as Linux counts them."""
_BUFFER = bytearray(READ_BYTES)
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 60, 15, 4
_UNANSWERED_MILLISECONDS = 120_000


class SmallReads(asyncio.BufferedProtocol):
    """A protocol that reads no more than `READ_BYTES` at once.

    So that is what a socket can leave in memory when the other end does not read: the event
    loop would read four times as much, for each of an attacker's sockets.
    """

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where the next bytes go; one place is enough for all sockets of a loop."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what came."""
        self.data_received(bytes(memoryview(_BUFFER)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Handle bytes."""
        raise NotImplementedError


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the kernel end a connection whose peer has vanished; nothing else detects it."""
    found: socket.socket | None = transport.get_extra_info("socket")
    if found is None:
        return
    with contextlib.suppress(OSError):  # no such option here, or closed already
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_SECONDS)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_SECONDS)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED_MILLISECONDS)


def close(transport: Stream | None) -> None:
    """Close a socket after what was written, or after `LINGER_SECONDS` if it is not read."""
    if transport is None or transport.is_closing():
        return
    transport.close()
    if transport.get_write_buffer_size():
        asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)


def finish(transport: Stream | None) -> None:
    """Let the peer know, after what was written, that no more will come."""
    if transport is not None and not transport.is_closing() and transport.can_write_eof():
        with contextlib.suppress(OSError):  # it has ended already
            transport.write_eof()


def write(transport: Stream, data: bytes) -> None:
    """Send bytes, or queue them; nothing once the socket is closing."""
    if not transport.is_closing():
        transport.write(data)


def read(transport: Stream, wanted: bool) -> None:
    """Read from a socket, or not."""
    if not transport.is_closing():
        with contextlib.suppress(RuntimeError):  # uvloop: it is so already
            (transport.resume_reading if wanted else transport.pause_reading)()


def has_peer_closed(transport: Stream) -> bool:
    """True if the peer has ended its direction, even if data ahead of the end is unread.

    The event loop sees neither while reading is paused.
    """
    found = transport.socket
    if transport.is_closing() or found is None:
        return True
    try:
        state = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:  # no such option here
        return False
    return state in _CLOSED_BY_PEER


def make_key() -> bytes:
    """Return the mask of a frame of the relay's own."""
    return os.urandom(4)
