"""Isshoni's backend with one fault put in, to show that the ledger finds it.

    python tests/releases/faulty.py --fault double --every 50

The environment is that of `python -m isshoni.backend`. Each fault is one that real
releases have had; it strikes at every so-many-th message (or edit).
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from typing import Any

from isshoni.backend.canvas_writer import CanvasWriter
from isshoni.backend.chat_writer import ChatWriter
from isshoni.backend.live_session import LiveSession
from isshoni.backend.ports import Appended, Behind, Duplicate, Entry, Gap
from isshoni.backend.send_queue import SendQueue
from isshoni.backend.server import main as serve
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import Chat, Saved

LATE_SECONDS = 0.2
"""A message held back goes out by then even if no other overtakes it."""


class _Turn:
    """A counter that says when it is the fault's turn."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._count = 0

    def has_come(self) -> bool:
        self._count += 1
        return self._count % self._every == 0


def drop(turn: _Turn) -> None:
    """Give an acknowledged message to nobody, now or later."""
    deliver = LiveSession._deliver_chat

    def faulty(self: LiveSession, entry: Entry) -> None:
        if not turn.has_come():
            deliver(self, entry)

    LiveSession._deliver_chat = faulty  # type: ignore[method-assign]


def double(turn: _Turn) -> None:
    """Send an event to a connection twice."""
    put = SendQueue.put

    def faulty(self: SendQueue, message: Any, size_bytes: int) -> None:
        put(self, message, size_bytes)
        if _is_event(message) and turn.has_come():
            put(self, message, size_bytes)

    SendQueue.put = faulty  # type: ignore[method-assign]


def swap(turn: _Turn) -> None:
    """Let an event be overtaken by the next one on its connection."""
    put = SendQueue.put
    held: dict[SendQueue, tuple[Any, int]] = {}

    def release(queue: SendQueue) -> None:
        if queue in held:
            put(queue, *held.pop(queue))

    def faulty(self: SendQueue, message: Any, size_bytes: int) -> None:
        if _is_event(message) and self not in held and turn.has_come():
            held[self] = (message, size_bytes)
            asyncio.get_running_loop().call_later(LATE_SECONDS, release, self)
            return
        put(self, message, size_bytes)
        if _is_event(message):
            release(self)

    SendQueue.put = faulty  # type: ignore[method-assign]


def cut(turn: _Turn) -> None:
    """End the connection that a message came on."""
    write = ChatWriter.write

    async def faulty(self: ChatWriter, chat: Chat) -> None:
        await write(self, chat)
        if turn.has_come():
            self._connection.close(CloseCode.INTERNAL_ERROR)

    ChatWriter.write = faulty  # type: ignore[method-assign]


def lose_ack(turn: _Turn) -> None:
    """Write messages, and never acknowledge any more on this connection.

    One lost ack is no fault: the next covers it.
    """
    answer = ChatWriter._answer_result
    mute: set[ChatWriter] = set()

    def faulty(self: ChatWriter, n: int, result: Appended | Duplicate | Gap | Behind) -> None:
        if turn.has_come():
            mute.add(self)
        if self not in mute:
            answer(self, n, result)

    ChatWriter._answer_result = faulty  # type: ignore[method-assign]


def lose_edit(turn: _Turn) -> None:
    """Say that an edit is saved, and save nothing."""
    append = CanvasWriter._append

    async def faulty(self: CanvasWriter, update: bytes) -> None:
        if not turn.has_come():
            await append(self, update)
            return
        self._saved += 1
        self._connection.tell(Saved(self._saved))

    CanvasWriter._append = faulty  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[_Turn], None]] = {
    fault.__name__: fault for fault in (drop, double, swap, cut, lose_ack, lose_edit)
}


def main() -> int:
    """Put the fault in, and serve."""
    parser = argparse.ArgumentParser(description="Isshoni's backend with one fault put in.")
    parser.add_argument("--fault", choices=sorted(FAULTS), required=True)
    parser.add_argument("--every", type=int, default=50)
    arguments = parser.parse_args()
    FAULTS[arguments.fault](_Turn(max(1, arguments.every)))
    return serve()


def _is_event(message: Any) -> bool:
    return str(message.get("text", "")).startswith('{"type":"chat"')


if __name__ == "__main__":
    sys.exit(main())
