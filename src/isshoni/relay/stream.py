"""A transport that another process can continue: its socket and its unsent bytes can be read."""

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import cast

_KEPT_BYTES = 1 << 16


@dataclass(slots=True)
class Parked:
    """A connected socket that nothing reads or writes, and what its peer must be sent first."""

    descriptor: int
    unsent: bytes

    def close(self) -> None:
        """Close this process's descriptor; the connection lasts while another process has one."""
        os.close(self.descriptor)


class Stream:
    """Writes to a transport, and knows the bytes that the kernel has not accepted yet."""

    __slots__ = ("_descriptor", "_kept", "_kept_bytes", "_parked", "_size_before", "_transport")

    def __init__(self, transport: asyncio.BaseTransport, unsent: bytes = b"") -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._parked: asyncio.Future[Parked] | None = None
        self._descriptor = -1
        self._size_before = 0
        if unsent:
            self.write(unsent)

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them; nothing once the transport is closing."""
        transport = self._transport
        if transport.is_closing():
            return
        transport.write(data)
        # Both kinds of event loop write at once what the kernel accepts: nothing is left, mostly.
        left = transport.get_write_buffer_size()
        if left:
            self._keep(data, left)
        elif self._kept:
            self._kept, self._kept_bytes = [], 0

    def _keep(self, data: bytes, left: int) -> None:
        self._kept.append(data)
        self._kept_bytes += len(data)
        if self._kept_bytes > 2 * left + _KEPT_BYTES:
            self._kept = [self._last(left)]
            self._kept_bytes = left

    def _last(self, size: int) -> bytes:
        return b"".join(self._kept)[-size:] if size else b""

    def forget_sent(self) -> None:
        """Free what the kernel has accepted, once the peer reads again."""
        left = self._transport.get_write_buffer_size()
        self._kept, self._kept_bytes = [self._last(left)] if left else [], left

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the kernel has not accepted."""
        return self._transport.get_write_buffer_size()

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes are in memory for the peer."""
        return max(self._kept_bytes, self._transport.get_write_buffer_size())

    def can_write_eof(self) -> bool:
        """True if one direction can be ended alone."""
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        """End this direction after what was written."""
        self._transport.write_eof()

    @property
    def socket(self) -> socket.socket | None:
        """Return the socket; None if the transport has none."""
        return cast("socket.socket | None", self._transport.get_extra_info("socket"))

    def is_closing(self) -> bool:
        """True once the transport is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the socket after what was written."""
        self._transport.close()

    def abort(self) -> None:
        """Close the socket now."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    # Another process continues

    def park(self) -> "asyncio.Future[Parked]":
        """Free the socket from the event loop without ending the connection.

        The transport must not be closing. Nothing is read from now on. What the kernel accepts
        before `end` is called is not among the unsent bytes.
        """
        transport = self._transport
        self._parked = asyncio.get_running_loop().create_future()
        self._descriptor = os.dup(transport.get_extra_info("socket").fileno())
        before = transport.get_write_buffer_size()
        transport.abort()
        # asyncio's own loop forgets the buffer at once; uvloop may still write from it.
        self._size_before = 0 if transport.get_write_buffer_size() else before
        return self._parked

    def end(self) -> bool:
        """Handle the end of the transport; True if the socket was parked, and has not ended."""
        if self._parked is None:
            return False
        size = self._transport.get_write_buffer_size() or self._size_before
        parked = Parked(self._descriptor, self._last(size))
        if self._parked.cancelled():
            parked.close()
        else:
            self._parked.set_result(parked)
        return True


async def continue_socket(protocol: asyncio.BaseProtocol, descriptor: int) -> None:
    """Connect a protocol to a parked socket; closes the descriptor once the transport ends."""
    connected = socket.socket(fileno=descriptor)
    connected.setblocking(False)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connected)
