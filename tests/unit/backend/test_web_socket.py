"""An open WebSocket on a transport that the test fills: order, closes, pings, bounds."""

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame, Opcode

from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.send_queue import SendQueue
from isshoni.backend.live.turn import Turn
from isshoni.backend.process import heartbeat as heartbeat_module
from isshoni.backend.process import web_socket
from isshoni.backend.process.heartbeat import Heartbeat
from isshoni.backend.process.web_socket import MAX_UNREAD, WebSocket
from tests.support.waiting import wait_until

LIMIT_BYTES = 1000


class FakeTransport:
    """A socket: what was written, and whether it is read, closed or aborted."""

    def __init__(self) -> None:
        self.written = b""
        self.reading, self.closed, self.aborted = True, False, False
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        assert not self.is_closing()
        self.written += data

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


def open_socket() -> tuple[WebSocket, FakeTransport]:
    transport = FakeTransport()
    socket = WebSocket(transport, Heartbeat(20.0), set(), LIMIT_BYTES)  # type: ignore[arg-type]
    socket.open()
    assert transport.protocol is socket
    return socket, transport


def sent(opcode: int, payload: bytes) -> bytes:
    return Frame(Opcode(opcode), payload).serialize(mask=True)


def framed(opcode: int, payload: bytes) -> bytes:
    return Frame(Opcode(opcode), payload).serialize(mask=False)


def text(content: str) -> Outgoing:
    return Outgoing.text(content.encode())


async def receive(socket: WebSocket) -> Any:
    async with asyncio.timeout(30):
        return await socket.receive()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_encoded_as_the_library_does(size: int) -> None:
    assert text("x" * size).seal() == framed(1, b"x" * size)
    assert Outgoing.binary(b"x" * size).seal() == framed(2, b"x" * size)


async def test_messages_are_received_in_order_whether_they_are_awaited_or_not() -> None:
    socket, _ = open_socket()
    waiting = asyncio.ensure_future(socket.receive())
    socket.data_received(sent(1, b"1") + sent(2, b"2") + sent(1, b"3"))
    assert (await waiting)["text"] == "1"
    assert (await receive(socket))["bytes"] == b"2"
    assert (await receive(socket))["text"] == "3"


async def test_a_receive_that_is_cancelled_as_a_message_arrives_loses_none() -> None:
    socket, _ = open_socket()
    receiving = asyncio.ensure_future(socket.receive())
    await asyncio.sleep(0)
    socket.data_received(sent(1, b"0"))
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert (await receive(socket))["text"] == "0"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await socket.receive()
    socket.data_received(sent(1, b"1"))
    assert (await receive(socket))["text"] == "1"


async def test_a_client_is_read_no_further_than_the_bound_until_all_is_received() -> None:
    socket, transport = open_socket()
    socket.data_received(sent(1, b"x") * (MAX_UNREAD - 1))
    seen = [transport.reading]
    socket.data_received(sent(1, b"x"))
    for _ in range(MAX_UNREAD):
        seen.append(transport.reading)
        await receive(socket)
    assert seen == [True] + [False] * MAX_UNREAD
    assert transport.reading


async def test_corked_frames_are_written_before_the_answer_to_a_close() -> None:
    socket, transport = open_socket()
    queue = SendQueue(socket, lambda: None)
    queue.put(text("corked"))
    socket.data_received(sent(8, b"\x03\xe8bye"))
    queue.put(text("late"))
    Turn.current().flush()
    assert transport.written == framed(1, b"corked") + framed(8, b"\x03\xe8bye")
    assert transport.closed
    assert (await receive(socket))["code"] == 1000


async def test_corked_frames_are_written_before_the_close_of_the_server() -> None:
    socket, transport = open_socket()
    queue = SendQueue(socket, lambda: None)
    queue.put(text("corked"))
    queue.close(4000)
    assert transport.written == framed(1, b"corked") + framed(8, b"\x0f\xa0")
    socket.end()
    ends = [transport.is_closing()]  # not yet: the client may still answer
    socket.data_received(sent(1, b"dropped") + sent(8, b"\x0f\xa0"))
    assert [*ends, transport.closed] == [False, True]
    assert (await receive(socket)) == {"type": "websocket.disconnect", "code": 4000}
    with pytest.raises(ClientDisconnected):
        await socket.send({"type": "websocket.send", "text": "late"})


async def test_corked_frames_are_written_before_the_close_for_a_broken_frame() -> None:
    socket, transport = open_socket()
    SendQueue(socket, lambda: None).put(text("corked"))
    socket.data_received(sent(1, b"good") + b"\x81\x01x")
    assert transport.written.startswith(framed(1, b"corked") + b"\x88")
    assert transport.closed
    assert (await receive(socket))["text"] == "good"
    assert (await receive(socket))["code"] == 1002


async def test_corked_frames_are_written_before_the_server_stops() -> None:
    socket, transport = open_socket()
    SendQueue(socket, lambda: None).put(text("corked"))
    socket.shutdown()
    assert transport.written == framed(1, b"corked") + framed(8, b"\x03\xf4")
    socket.data_received(sent(8, b"\x03\xf4"))
    assert transport.closed
    socket.connection_lost(None)


async def test_the_close_of_a_slow_reader_waits_for_room_behind_its_frames() -> None:
    socket, transport = open_socket()
    queue = SendQueue(socket, lambda: None)
    socket.pause_writing()
    queue.put(text("waits"))
    queue.close(1012)
    assert transport.written == b""
    socket.resume_writing()
    assert transport.written == framed(1, b"waits") + framed(8, b"\x03\xf4")


async def test_a_slow_reader_that_overflows_gets_the_close_and_not_what_waited() -> None:
    socket, transport = open_socket()
    queue = SendQueue(socket, lambda: queue.close(4000, discard=True), limit_bytes=10)
    socket.pause_writing()
    queue.put(text("x" * 20))
    Turn.current().flush()
    socket.resume_writing()
    assert transport.written == framed(8, b"\x0f\xa0")


async def test_what_a_client_that_is_given_up_does_not_read_is_dropped() -> None:
    socket, transport = open_socket()
    socket.pause_writing()
    socket.end()
    assert transport.aborted


async def test_pings_are_answered_unless_the_client_reads_nothing() -> None:
    socket, transport = open_socket()
    socket.data_received(sent(9, b"a"))
    socket.pause_writing()
    socket.data_received(sent(9, b"b"))
    assert transport.written == framed(10, b"a")


@pytest.mark.parametrize("reads", [True, False])
async def test_a_client_that_answers_no_ping_is_ended_without_waiting_for_it(reads: bool) -> None:
    socket, transport = open_socket()
    socket.ping(b"1")
    socket.data_received(sent(10, b"another"))
    if not reads:
        socket.pause_writing()
    socket.ping(b"2")
    assert transport.closed is reads
    assert transport.aborted is not reads


async def test_a_socket_that_cannot_be_closed_within_an_interval_is_aborted() -> None:
    socket, transport = open_socket()
    socket.data_received(sent(8, b"\x03\xe8"))
    socket.ping(b"1")
    aborted = [transport.aborted]
    socket.ping(b"2")
    assert [*aborted, transport.aborted] == [False, True]


async def test_a_client_that_answers_its_pings_is_kept() -> None:
    socket, transport = open_socket()
    for payload in (b"1", b"2", b"3"):
        socket.ping(payload)
        socket.data_received(sent(10, payload))
    assert not transport.is_closing()


@pytest.mark.parametrize("closed_before", [True, False])
async def test_a_stopping_server_reads_on_until_the_client_has_answered_the_close(
    closed_before: bool,
) -> None:
    """Closing a socket with unread bytes resets it: a client that writes loses the close frame."""
    socket, transport = open_socket()
    if closed_before:
        socket.close(1012)
    for _ in range(2 * MAX_UNREAD):
        socket.data_received(sent(1, b"the application receives none of them"))
    socket.shutdown()
    assert transport.written == framed(8, (1012).to_bytes(2, "big"))
    assert transport.reading and not transport.is_closing()
    socket.data_received(sent(1, b"on its way before the close frame") * MAX_UNREAD)
    assert transport.reading and not transport.is_closing()
    socket.data_received(sent(8, (1012).to_bytes(2, "big")))
    assert transport.closed
    socket.connection_lost(None)


async def test_a_stopping_server_waits_only_so_long_for_the_answer_to_its_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_socket, "_SHUTDOWN_SECONDS", 0.0)
    socket, transport = open_socket()
    socket.close(1012)
    socket.shutdown()
    await wait_until(lambda: transport.closed, "the socket is closed")
    socket.connection_lost(None)


async def test_a_too_large_frame_is_read_to_its_end_before_the_socket_is_closed() -> None:
    socket, transport = open_socket()
    socket.data_received(b"\x82\xfe\xff\xff\0\0\0\0" + b"x" * 100)
    assert transport.written[2:4] == (4413).to_bytes(2, "big")
    socket.data_received(b"x" * 1000)
    assert not transport.closed
    assert (await receive(socket))["code"] == 4413
    await wait_until(lambda: transport.closed, "it was closed once nothing more came")


async def test_a_lost_connection_is_received_and_writes_nothing() -> None:
    socket, transport = open_socket()
    queue = SendQueue(socket, lambda: None)
    queue.put(text("corked"))
    socket.connection_lost(None)
    Turn.current().flush()
    assert (await receive(socket)) == {"type": "websocket.disconnect", "code": 1005}
    assert transport.written == b""


async def test_the_start_of_a_frame_is_freed_at_the_end_of_its_connection() -> None:
    socket, _ = open_socket()
    socket.data_received(sent(2, bytes(900))[:-100])
    before = socket._frames.kept_bytes
    socket.connection_lost(None)
    assert before > 700
    assert socket._frames.kept_bytes == 0


class Pinged:
    def __init__(self) -> None:
        self.pings: list[bytes] = []

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)


async def test_a_heartbeat_pings_each_connection_once_an_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat_module, "_PARTS", 4)
    heartbeat = Heartbeat(1e6)
    connections = [Pinged() for _ in range(10)]
    for connection in connections:
        heartbeat.add(connection)
    heartbeat.discard(connections[9])
    for _ in range(4):
        heartbeat.tick()
    assert [len(one.pings) for one in connections] == [1] * 9 + [0]
    for _ in range(4):
        heartbeat.tick()
    assert [len(set(one.pings)) for one in connections] == [2] * 9 + [0]


async def test_a_message_of_the_application_waits_for_room() -> None:
    socket, transport = open_socket()
    socket.pause_writing()
    sending = asyncio.ensure_future(socket.send({"type": "websocket.send", "text": "a"}))
    await asyncio.sleep(0)
    written = [transport.written]
    socket.resume_writing()
    await sending
    assert [*written, transport.written] == [b"", framed(1, b"a")]


async def test_a_message_that_waits_for_room_ends_with_the_connection() -> None:
    socket, _ = open_socket()
    socket.pause_writing()
    sending = asyncio.ensure_future(socket.send({"type": "websocket.send", "text": "a"}))
    await asyncio.sleep(0)
    socket.connection_lost(None)
    with pytest.raises(ClientDisconnected):
        await sending


async def test_a_text_is_handled_at_once_while_the_application_waits_for_a_frame() -> None:
    socket, _ = open_socket()
    handled: list[str] = []

    def handle(text: str) -> bool:
        handled.append(text)
        return text.startswith("chat")

    socket.receive_with(handle)
    socket.data_received(sent(1, b"chat before"))  # the application does not wait yet
    assert (await receive(socket))["text"] == "chat before"
    waiting = asyncio.ensure_future(receive(socket))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    socket.data_received(sent(1, b"chat 1") + sent(1, b"chat 2"))
    assert handled == ["chat 1", "chat 2"]
    socket.data_received(sent(1, b"ping") + sent(1, b"chat 3"))
    assert handled == ["chat 1", "chat 2", "ping"]
    assert (await waiting)["text"] == "ping"
    assert (await receive(socket))["text"] == "chat 3"


async def test_a_binary_frame_is_handled_at_once_unless_an_earlier_frame_waits() -> None:
    socket, _ = open_socket()
    handled: list[bytes] = []

    def handle(frame: bytes) -> bool:
        handled.append(frame)
        return frame.startswith(b"edit")

    socket.receive_binary_with(handle)
    waiting = asyncio.ensure_future(receive(socket))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    socket.data_received(sent(2, b"edit 1") + sent(1, b"text") + sent(2, b"edit 2"))
    assert handled == [b"edit 1"]  # "edit 2" stays behind the text
    assert (await waiting)["text"] == "text"
    assert (await receive(socket))["bytes"] == b"edit 2"


async def test_no_text_is_handled_at_once_after_the_connection_has_ended() -> None:
    socket, _ = open_socket()
    socket.receive_with(lambda text: pytest.fail("it has ended"))
    socket.receive_binary_with(lambda frame: pytest.fail("it has ended"))
    waiting = asyncio.ensure_future(receive(socket))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    socket.stop()
    socket.data_received(sent(1, b"chat"))
    socket.data_received(sent(2, b"edit"))
    assert (await waiting)["text"] == "chat"
