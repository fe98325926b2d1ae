"""The send queue: no task while the socket takes everything, a bound when it does not."""

import asyncio
from typing import Any

from isshoni.backend.live.send_queue import SendQueue
from tests.support.waiting import wait_until


class Socket:
    """What uvicorn's `send` does: write at once, or wait until the buffer has room."""

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


def _text(text: str) -> dict[str, str]:
    return {"type": "websocket.send", "text": text}


async def test_a_writable_socket_gets_frames_at_once_and_without_a_task() -> None:
    socket, tasks = Socket(), len(asyncio.all_tasks())
    queue = SendQueue(socket.send, lambda: None)
    queue.put(_text("a"), 1)
    queue.put(_text("b"), 1)
    assert socket.written == ["a", "b"]
    assert len(asyncio.all_tasks()) == tasks


async def test_frames_wait_in_order_behind_one_that_is_stuck() -> None:
    socket = Socket()
    queue = SendQueue(socket.send, lambda: None)
    socket.writable.clear()
    for text in "abc":
        queue.put(_text(text), 1)
    assert socket.written == []
    await asyncio.sleep(0)
    socket.writable.set()
    await wait_until(lambda: socket.written == ["a", "b", "c"], "all were written")
    await wait_until(lambda: queue.size == 0, "the queue is empty")
    queue.put(_text("d"), 1)
    assert socket.written[-1] == "d"


async def test_overflow_is_told_and_what_waited_can_be_discarded() -> None:
    socket, overflows = Socket(), []
    queue = SendQueue(socket.send, lambda: overflows.append(1), limit_bytes=10)
    socket.writable.clear()
    queue.put(_text("stuck"), 5)
    queue.put(_text("waits"), 10)
    assert not overflows
    queue.put(_text("over"), 1)
    assert overflows
    queue.close(4000, discard=True)
    queue.put(_text("late"), 1)
    socket.writable.set()
    await wait_until(lambda: socket.written == ["stuck", 4000], "the close came behind")


async def test_a_broken_socket_raises_nothing() -> None:
    socket = Socket()
    queue = SendQueue(socket.send, lambda: None)
    socket.broken = True
    queue.put(_text("a"), 1)
    queue.put(_text("b"), 1)
    queue.close(1000)


async def test_stopping_ends_the_writer_of_a_stuck_socket() -> None:
    socket, tasks = Socket(), len(asyncio.all_tasks())
    queue = SendQueue(socket.send, lambda: None)
    socket.writable.clear()
    queue.put(_text("a"), 1)
    queue.stop()
    await wait_until(lambda: len(asyncio.all_tasks()) == tasks, "the writer has ended")
    assert socket.written == []
