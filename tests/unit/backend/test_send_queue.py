"""The send queue: one write a turn, a bound for slow readers, the close behind the frames."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from isshoni.backend.live.held_bytes import HeldBytes
from isshoni.backend.live.outgoing import Batch, Outgoing, Sendable
from isshoni.backend.live.send_queue import CORK_BYTES, SendQueue
from isshoni.backend.live.turn import Turn
from isshoni.backend.live.wire import AsgiWire, HandleBinary, HandleText, Sender
from tests.support.waiting import wait_until


class FakeWire:
    """A socket whose buffer the test fills and empties."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_writable = True
        self.room_bytes = 1 << 30
        self.closed: int | None = None
        self.sender: Sender | None = None
        self.held_bytes = 0

    def receive_with(self, handle: HandleText) -> None:
        raise NotImplementedError

    def receive_binary_with(self, handle: HandleBinary) -> None:
        raise NotImplementedError

    def attach(self, sender: Sender) -> None:
        self.sender = sender

    def write(self, frames: Sequence[Sendable]) -> None:
        assert self.closed is None
        self.writes.append(b"".join(frame.seal() for frame in frames))
        self.room_bytes -= len(self.writes[-1])
        self.is_writable = self.room_bytes > 0

    def close(self, code: int) -> None:
        self.closed = code

    def stop(self) -> None:
        self.sender = None

    def make_room(self, room_bytes: int = 1 << 30) -> None:
        self.room_bytes, self.is_writable = room_bytes, True
        assert self.sender is not None
        self.sender.flush()


def _text(text: str) -> Outgoing:
    return Outgoing.text(text.encode())


def _frames(*texts: str) -> bytes:
    return b"".join(_text(text).seal() for text in texts)


def end_turn() -> None:
    Turn.current().flush()


async def test_the_frames_of_one_turn_leave_in_one_write() -> None:
    wire, other = FakeWire(), FakeWire()
    queue, tasks = SendQueue(wire, lambda: None), len(asyncio.all_tasks())
    SendQueue(other, lambda: None).put(_text("x"))
    queue.put(_text("a"))
    queue.put(_text("b"))
    assert wire.writes == []
    await asyncio.sleep(0)
    assert wire.writes == [_frames("a", "b")]
    assert other.writes == [_frames("x")]
    assert len(asyncio.all_tasks()) == tasks


async def test_a_large_turn_is_written_before_it_ends() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    queue.put(_text("a"))
    queue.put(_text("x" * CORK_BYTES))
    queue.put(_text("b"))
    assert wire.writes == [_frames("a", "x" * CORK_BYTES)]
    end_turn()
    assert wire.writes[1:] == [_frames("b")]


async def test_frames_wait_for_room_in_order() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    wire.is_writable = False
    for text in "abc":
        queue.put(_text(text))
        end_turn()
    assert wire.writes == []
    assert queue.size == len(_frames("a", "b", "c"))
    queue.put(_text("d"))
    wire.make_room()
    assert b"".join(wire.writes) == _frames("a", "b", "c", "d")
    assert queue.size == 0


async def test_no_more_is_written_than_the_socket_has_room_for() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    wire.is_writable = False
    large = [str(number) * (CORK_BYTES // 2) for number in range(8)]
    for text in large:
        queue.put(_text(text))
    end_turn()
    wire.make_room(CORK_BYTES)
    assert b"".join(wire.writes) == _frames(*large[:2])
    assert queue.size == len(_frames(*large[2:]))
    wire.make_room()
    assert b"".join(wire.writes) == _frames(*large)


async def test_overflow_counts_corked_frames_and_the_close_replaces_what_waited() -> None:
    wire, overflows = FakeWire(), []
    queue = SendQueue(wire, lambda: overflows.append(1), limit_bytes=40)
    wire.is_writable = False
    queue.put(_text("x" * 20))
    end_turn()
    queue.put(_text("x" * 10))
    assert not overflows
    queue.put(_text("x" * 10))
    end_turn()
    assert overflows == [1]
    queue.close(4000, discard=True)
    queue.put(_text("late"))
    assert wire.closed == 4000
    wire.make_room()
    assert wire.writes == []


async def test_the_close_comes_after_the_frames_of_its_turn() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    queue.put(_text("a"))
    queue.close(1012)
    queue.put(_text("late"))
    assert wire.writes == [_frames("a")]
    assert wire.closed == 1012


async def test_the_close_waits_behind_the_frames_of_a_slow_reader() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    wire.is_writable = False
    queue.put(_text("a"))
    queue.close(1012)
    end_turn()
    assert wire.closed is None
    wire.make_room()
    assert wire.writes == [_frames("a")]
    assert wire.closed == 1012


async def test_a_batch_that_was_written_once_does_not_grow() -> None:
    wires = [FakeWire(), FakeWire()]
    queues = [SendQueue(wire, lambda: None) for wire in wires]
    batch = Batch(_text("a"))
    for queue in queues:
        queue.put(batch)
    batch.add(_text("b"))
    queues[0].close(1012)
    assert not batch.is_open
    end_turn()
    assert [wire.writes for wire in wires] == [[_frames("a", "b")]] * 2


async def test_a_queue_that_fails_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, good = FakeWire(), FakeWire()
    monkeypatch.setattr(broken, "write", None)
    for wire in (broken, good):
        SendQueue(wire, lambda: None).put(_text("a"))
    end_turn()
    assert good.writes == [_frames("a")]


async def test_a_stopped_queue_writes_nothing() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    queue.put(_text("a"))
    queue.stop()
    end_turn()
    assert wire.writes == []


# Over any ASGI server


class Socket:
    """What an ASGI server's `send` does: write at once, or wait until the buffer has room."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.writable = asyncio.Event()
        self.writable.set()
        self.broken = False

    async def send(self, message: Any) -> None:
        await self.writable.wait()
        if self.broken:
            raise OSError("gone")
        self.written.append(message.get("text", message.get("code")))


async def test_over_asgi_frames_wait_in_order_behind_one_that_is_stuck() -> None:
    socket = Socket()
    queue = SendQueue(AsgiWire(socket.send), lambda: None)
    socket.writable.clear()
    for text in "abc":
        queue.put(_text(text))
        end_turn()
    queue.close(1012)
    await asyncio.sleep(0)
    assert socket.written == []
    socket.writable.set()
    await wait_until(lambda: socket.written == ["a", "b", "c", 1012], "all were written")
    assert queue.size == 0


async def test_over_asgi_a_close_that_discards_comes_behind_the_frame_that_is_stuck() -> None:
    socket = Socket()
    queue = SendQueue(AsgiWire(socket.send), lambda: None)
    socket.writable.clear()
    queue.put(_text("stuck"))
    end_turn()
    queue.put(_text("waits"))
    end_turn()
    queue.close(4000, discard=True)
    socket.writable.set()
    await wait_until(lambda: socket.written == ["stuck", 4000], "the close came behind")


async def test_over_asgi_a_broken_socket_raises_nothing() -> None:
    socket = Socket()
    queue = SendQueue(AsgiWire(socket.send), lambda: None)
    socket.broken = True
    for text in "ab":
        queue.put(_text(text))
        end_turn()
    queue.close(1000)


async def test_over_asgi_stopping_ends_the_writer_of_a_stuck_socket() -> None:
    socket, tasks = Socket(), len(asyncio.all_tasks())
    queue = SendQueue(AsgiWire(socket.send), lambda: None)
    socket.writable.clear()
    queue.put(_text("a"))
    end_turn()
    queue.stop()
    await wait_until(lambda: len(asyncio.all_tasks()) == tasks, "the writer has ended")
    assert socket.written == []


async def test_a_queue_is_drained_once_its_socket_has_room_again() -> None:
    wire = FakeWire()
    queue = SendQueue(wire, lambda: None)
    await queue.wait_until_drained()
    wire.is_writable = False
    queue.put(Outgoing.binary(b"x"))
    drained = asyncio.ensure_future(queue.wait_until_drained())
    await asyncio.sleep(0.01)
    assert not drained.done()
    wire.is_writable = True
    queue.flush()
    await drained


async def test_nothing_waits_for_a_queue_that_is_stopped_to_be_drained() -> None:
    wire = FakeWire()
    wire.is_writable = False
    queue = SendQueue(wire, lambda: None)
    queue.put(Outgoing.binary(b"x"))
    drained = asyncio.ensure_future(queue.wait_until_drained())
    await asyncio.sleep(0.01)
    queue.stop()
    await drained


@pytest.mark.spec("D4")
async def test_what_several_connections_of_one_address_do_not_read_is_bounded() -> None:
    account, overflows = HeldBytes(250_000), []
    wires = [FakeWire() for _ in range(4)]
    queues = []
    for number, wire in enumerate(wires):
        wire.is_writable = False
        queue = SendQueue(wire, lambda number=number: overflows.append(number))  # type: ignore[misc]
        queue.count_for(account)
        queues.append(queue)
    for queue in queues:
        queue.put(Outgoing.binary(bytes(100_000)))
        queue.flush()
    assert overflows == [2, 3]
    assert account.total < 250_000
    wires[0].is_writable = True
    queues[0].flush()
    assert account.total < 150_000
    for queue in queues:
        queue.stop()
    assert account.total == 0


async def test_the_start_of_a_large_frame_counts_too() -> None:
    account, wire, overflows = HeldBytes(1_000), FakeWire(), []
    queue = SendQueue(wire, lambda: overflows.append(1))
    queue.count_for(account)
    wire.held_bytes = 900
    assert queue.recount()
    wire.held_bytes = 2_000
    assert not queue.recount()
    assert overflows == [1]
