"""The connection between two relays: messages that carry sockets."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Sequence

import msgspec

from isshoni.relay.upgrade.messages import Message, decode, encode

MOST_DESCRIPTORS = 253
"""Of one message (SCM_MAX_FD of Linux)."""
_HEAD = struct.Struct(">II")


class LineBroken(Exception):
    """The other relay has ended, does not answer, or sent what is no message."""


class LineDamaged(LineBroken):
    """What came is no whole message; the other relay may go on."""


class Line:
    """Sends and receives one message at a time; each one is answered before the next."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message, and sockets with it; raises `LineBroken`."""
        data = encode(message)
        head = _HEAD.pack(len(data), len(descriptors))
        try:
            if socket.send_fds(self._socket, [head], descriptors) != len(head):
                raise LineBroken("the other relay does not read")
            await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except OSError as fault:
            raise LineBroken(f"the other relay has ended ({fault})") from None

    async def receive(self) -> tuple[Message, list[int]]:
        """Wait for a message and its sockets; raises `LineBroken`, also at the end."""
        head, descriptors = await self._receive_head()
        try:
            size, count = _HEAD.unpack(head)
            data = await self._receive_exactly(size)
            if len(descriptors) != count:
                raise LineDamaged(f"{len(descriptors)} sockets of {count} came: open files ran out")
            return decode(data), descriptors
        except BaseException as fault:
            close_all(descriptors)
            if isinstance(fault, msgspec.DecodeError):
                raise LineDamaged(f"no message of this version: {fault}") from None
            raise

    async def _receive_head(self) -> tuple[bytes, list[int]]:
        head, descriptors = b"", list[int]()
        while len(head) < _HEAD.size:
            await self._wait_until_readable()
            try:
                data, more, _, _ = socket.recv_fds(
                    self._socket, _HEAD.size - len(head), MOST_DESCRIPTORS
                )
            except BlockingIOError:
                continue
            except OSError as fault:
                close_all(descriptors)
                raise LineBroken(f"the other relay has ended ({fault})") from None
            descriptors += more
            for descriptor in more:
                os.set_inheritable(descriptor, False)
            if not data:
                close_all(descriptors)
                raise LineBroken("the other relay has ended")
            head += data
        return head, descriptors

    async def _receive_exactly(self, size: int) -> bytes:
        data, loop = bytearray(), asyncio.get_running_loop()
        while len(data) < size:
            try:
                piece = await loop.sock_recv(self._socket, min(size - len(data), 1 << 20))
            except OSError as fault:
                raise LineBroken(f"the other relay has ended ({fault})") from None
            if not piece:
                raise LineBroken("the other relay has ended")
            data += piece
        return bytes(data)

    async def _wait_until_readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._socket, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._socket)

    def close(self) -> None:
        """Close the line; the other relay notices it."""
        self._socket.close()


class Token:
    """A right that exactly one of two processes gets: a byte in a pipe that both can read.

    It decides who serves what was sent, also if one of them ends or is stopped between two steps.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor

    def claim(self) -> bool:
        """Claim the right; False if the other process has it."""
        try:
            return os.read(self.descriptor, 1) == b"."
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Close this process's end."""
        os.close(self.descriptor)


class OfferedToken(Token):
    """A token that this process offers again and again."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        super().__init__(reading)

    def offer(self) -> None:
        """Let the right be claimed once more."""
        os.write(self._writing, b".")

    def close(self) -> None:
        """Close both ends."""
        super().close()
        os.close(self._writing)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nothing else owns."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
