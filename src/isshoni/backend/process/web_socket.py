"""One WebSocket after its handshake: frames in, frames out, pings, and the close."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.types import Message
from uvicorn.protocols.utils import ClientDisconnected

from isshoni.backend.live.outgoing import Outgoing, Sendable, encode_frame
from isshoni.backend.live.wire import HandleBinary, HandleText, Sender
from isshoni.backend.process.frame_reader import CLOSE, PING, PONG, Control, FrameReader, Received
from isshoni.backend.process.heartbeat import Heartbeat
from isshoni.session.close_codes import CloseCode

CLOSE_SECONDS = 10.0
"""Seconds that the client may take to answer a close frame."""
_SHUTDOWN_SECONDS = 0.8
"""The same when the server stops, which waits a second for all sockets."""
_LINGER_SECONDS = 10.0
"""Seconds for the sender of a too large frame to send the rest and read the reason."""
_QUIET_SECONDS = 0.5
"""Seconds without a byte after which the frame counts as sent."""
MAX_UNREAD = 64
MAX_UNREAD_BYTES = 64 << 10
"""Beyond either no more is read from the client, until the application has received all."""
_FINAL = 0x80
_LOST = 1005


class WebSocket(asyncio.Protocol):
    """The protocol of an open WebSocket; it is both an ASGI connection and a `Wire`.

    uvicorn's own keeps the parsed handshake, a parser made of generators and two timers for
    each connection, and serialises each frame for each connection.
    """

    __slots__ = (
        "_close_sent",
        "_close_timer",
        "_frames",
        "_handle_binary",
        "_handle_text",
        "_heartbeat",
        "_is_counted",
        "_is_lost",
        "_is_reading",
        "_linger_until",
        "_mailbox",
        "_peers",
        "_pending_ping",
        "_reader",
        "_room",
        "_sender",
        "_transport",
        "_unread_bytes",
        "is_writable",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        heartbeat: Heartbeat,
        peers: set[Any],
        limit_bytes: int,
    ) -> None:
        self._transport = transport
        self._heartbeat = heartbeat
        self._peers = peers
        self._frames = FrameReader(limit_bytes)
        self._mailbox: list[Message] | None = None
        """Messages that the application has not received; None if there are none."""
        self._reader: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        """Done once there is room in the buffer of the socket again."""
        self._sender: Sender | None = None
        self._handle_text: HandleText | None = None
        self._handle_binary: HandleBinary | None = None
        self._unread_bytes = 0
        self._is_reading = True
        self._close_sent = False
        self._close_timer: asyncio.TimerHandle | None = None
        self._linger_until: float | None = None
        self._pending_ping: bytes | None = None
        self._is_lost = False
        self._is_counted = False
        """True while a frame that is not complete is large enough to be counted."""
        self.is_writable = True
        """False while the buffer of the socket is full."""

    def open(self) -> None:
        """Replace the protocol of the handshake, which is complete."""
        self._peers.add(self)
        self._heartbeat.add(self)
        self._transport.set_protocol(self)

    # What the transport reports

    def data_received(self, data: bytes) -> None:
        """Handle every frame that is complete."""
        if self._linger_until is not None:
            self._linger(self._linger_until)
            return
        for received in self._frames.feed(data):
            self._handle(received)
        fault = self._frames.fault
        if fault is not None and not self._close_sent:
            self._fail(fault.code, fault.reason)
        self._count_unfinished()

    def _count_unfinished(self) -> None:
        """Count a large unfinished frame: one address may send the beginnings of many."""
        is_large = self._frames.kept_bytes + self._unread_bytes >= MAX_UNREAD_BYTES
        if (is_large or self._is_counted) and self._sender is not None:
            self._is_counted = is_large
            if not self._sender.recount() and self._close_sent:
                self._transport.abort()  # it would go on to send

    @property
    def held_bytes(self) -> int:
        """The bytes in the buffer of the socket, and those of a frame that is not complete."""
        unsent = 0 if self._is_lost else self._transport.get_write_buffer_size()
        unfinished = self._frames.kept_bytes + self._unread_bytes if self._is_counted else 0
        return unsent + unfinished

    def pause_writing(self) -> None:
        """Stop writing: the buffer of the socket is full."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """Write what has waited for room."""
        self._make_writable()
        self._flush_sender()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end of the socket to the application."""
        self._is_lost = True
        # Not left to the garbage collector, which may come much later.
        self._frames.clear()
        self._make_writable()
        self._peers.discard(self)
        self._heartbeat.discard(self)
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._deliver({"type": "websocket.disconnect", "code": _LOST})

    def _make_writable(self) -> None:
        self.is_writable = True
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    # What the client sends

    def _handle(self, received: Received) -> None:
        if isinstance(received, Control):
            self._handle_control(received)
        elif self._close_sent:
            return
        elif isinstance(received, str):
            handle_text = self._handle_text
            if handle_text is None or not self._is_awaited() or not handle_text(received):
                self._deliver({"type": "websocket.receive", "text": received}, len(received))
        else:
            handle_binary = self._handle_binary
            if handle_binary is None or not self._is_awaited() or not handle_binary(received):
                self._deliver({"type": "websocket.receive", "bytes": received}, len(received))

    def _is_awaited(self) -> bool:
        """True if the application waits for a frame: every earlier one has been handled."""
        reader = self._reader
        return reader is not None and self._mailbox is None and not reader.done()

    def _handle_control(self, frame: Control) -> None:
        if frame.opcode == CLOSE:
            self._handle_close(frame)
        elif frame.opcode == PONG:
            if frame.payload == self._pending_ping:
                self._pending_ping = None
        elif self.is_writable and not self._close_sent:
            # A client that reads nothing is sent no pongs: they would fill the memory.
            self._write(encode_frame(_FINAL | PONG, frame.payload))

    def _handle_close(self, frame: Control) -> None:
        if not self._close_sent:
            self._flush_sender()
            self._deliver({"type": "websocket.disconnect", "code": frame.code})
            self._send_close(frame.payload)
        self._transport.close()

    def _fail(self, code: int, reason: str) -> None:
        """Close because of a frame that breaks the rules.

        Closing a socket with unread bytes resets it, and the close frame is lost: the sender of
        a too large frame would never learn the reason. So the rest of the frame is read first.
        """
        self._flush_sender()
        self._deliver({"type": "websocket.disconnect", "code": code})
        self._send_close(code.to_bytes(2, "big") + reason.encode())
        if code == CloseCode.TOO_LARGE:
            self._resume_reading()
            loop = asyncio.get_running_loop()
            self._linger_until = loop.time() + _LINGER_SECONDS
            self._linger(self._linger_until)
        else:
            self._transport.close()

    def _linger(self, until: float) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        loop = asyncio.get_running_loop()
        close_at = min(loop.time() + _QUIET_SECONDS, until)
        self._close_timer = loop.call_at(close_at, self._transport.close)

    # What the application receives

    def _deliver(self, message: Message, size_bytes: int = 0) -> None:
        if self._mailbox is None:
            self._mailbox = []
        self._mailbox.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        self._unread_bytes += size_bytes
        if self._is_reading and not self._close_sent:
            is_full = len(self._mailbox) >= MAX_UNREAD or self._unread_bytes >= MAX_UNREAD_BYTES
            if is_full and not self._is_lost:
                self._is_reading = False
                self._transport.pause_reading()

    async def receive(self) -> Message:
        """Return the oldest message of the client (ASGI); wait for one if there is none."""
        while self._mailbox is None:
            # Without the message as its result: a cancelled `receive` must not lose one.
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
            self._reader = None
        message = self._mailbox.pop(0)
        if not self._mailbox:
            self._mailbox = None
            self._unread_bytes = 0
            self._resume_reading()
        return message

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._is_lost:
            self._is_reading = True
            self._transport.resume_reading()

    # What the application sends

    async def send(self, message: Message) -> None:
        """Send a message of the application (ASGI); raises `ClientDisconnected`.

        Waits while the buffer of the socket is full.
        """
        while not self.is_writable:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if self._close_sent or self._is_lost:
            raise ClientDisconnected
        if message["type"] == "websocket.close":
            self.close(message.get("code", CloseCode.NORMAL), message.get("reason") or "")
        elif (text := message.get("text")) is not None:
            self.write((Outgoing.text(text.encode()),))
        else:
            self.write((Outgoing.binary(message["bytes"]),))

    def attach(self, sender: Sender) -> None:
        """Let `sender` flush when there is room again, and before a close frame is sent."""
        self._sender = sender

    def receive_with(self, handle: HandleText) -> None:
        """Call `handle` with each text frame that arrives while the application waits for one."""
        self._handle_text = handle

    def receive_binary_with(self, handle: HandleBinary) -> None:
        """Call `handle` with each binary frame that arrives while the application waits for one."""
        self._handle_binary = handle

    def write(self, frames: Sequence[Sendable]) -> None:
        """Write frames in one system call; none after the close frame."""
        if not self._close_sent:
            if len(frames) == 1:
                self._write(frames[0].seal())
            else:
                self._write(b"".join([frame.seal() for frame in frames]))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame; the client has `CLOSE_SECONDS` to answer it."""
        if self._close_sent or self._transport.is_closing():
            return
        self._deliver({"type": "websocket.disconnect", "code": code})
        self._send_close(int(code).to_bytes(2, "big") + reason.encode())
        self._resume_reading()
        loop = asyncio.get_running_loop()
        self._close_timer = loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def stop(self) -> None:
        """Stop every write: the connection has ended."""
        self._sender = self._handle_text = self._handle_binary = None

    def end(self) -> None:
        """Close the socket after the application has returned, unless a close is answered."""
        if self._close_timer is not None:
            return
        # What a client does not read is dropped: it would stay in memory for as long as it likes.
        if self.is_writable:
            self._transport.close()
        else:
            self._transport.abort()

    def shutdown(self) -> None:
        """Close because the server stops (uvicorn calls this); read until the client has answered.

        Closing a socket with unread bytes resets it: a client that writes just then would lose the
        close frame.
        """
        if not self._close_sent:
            self._flush_sender()
            self._deliver({"type": "websocket.disconnect", "code": CloseCode.SERVICE_RESTART})
            self._send_close(int(CloseCode.SERVICE_RESTART).to_bytes(2, "big"))
        self._resume_reading()
        if self._close_timer is not None:
            self._close_timer.cancel()
        loop = asyncio.get_running_loop()
        self._close_timer = loop.call_later(_SHUTDOWN_SECONDS, self._transport.close)

    def ping(self, payload: bytes) -> None:
        """Send a ping; end the connection if the one before was not answered."""
        is_open = not self._close_sent and not self._transport.is_closing()
        if self._pending_ping is not None:
            self._abandon(is_open)
            return
        self._pending_ping = payload
        if is_open:
            self._write(encode_frame(_FINAL | PING, payload))

    def _abandon(self, is_open: bool) -> None:
        """End a connection whose client answers no ping, or whose close has taken an interval.

        It does not wait for the client to read what is in the buffer of the socket.
        """
        if not is_open or not self.is_writable:
            self._transport.abort()
            return
        self._send_close(int(CloseCode.INTERNAL_ERROR).to_bytes(2, "big") + b"ping timeout")
        self._transport.close()

    def _flush_sender(self) -> None:
        if self._sender is not None:
            self._sender.flush()

    def _send_close(self, payload: bytes) -> None:
        self._write(encode_frame(_FINAL | CLOSE, payload))
        self._close_sent = True

    def _write(self, data: bytes) -> None:
        if not self._is_lost and not self._transport.is_closing():
            self._transport.write(data)
