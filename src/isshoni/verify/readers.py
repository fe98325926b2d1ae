"""Fresh readers: what a client that joins at the end is shown."""

import asyncio
from collections.abc import Callable

from isshoni.client.canvas import Canvas
from isshoni.client.client import SessionClient
from isshoni.client.listener import ClientListener
from isshoni.session.from_server import ChatEvent
from isshoni.verify.conversations import fold_at_once
from isshoni.verify.crowd import POLL_SECONDS, Crowd
from isshoni.verify.edits import FRESH_READER
from isshoni.verify.lean_canvas import CanvasState, decode_state
from isshoni.verify.patience import wait_while_progressing
from isshoni.verify.users import CLIENT_ID_PREFIX, Books

RESTORE_SECONDS = 30.0
SYNC_SECONDS = 30.0
"""For the canvas to be sent at all; a platform that is busy takes its time."""
CANVAS_SECONDS = 5.0
"""From then on, for more of it to arrive."""
LONGEST_CANVAS_SECONDS = 60.0
AT_ONCE = 20


class _Reader(ClientListener):
    def __init__(self) -> None:
        self.events: list[ChatEvent] = []
        self.canvas: Canvas | None = None

    def make_canvas(self, send: Callable[[bytes], None], refuse: Callable[[str], None]) -> Canvas:
        self.canvas = Canvas(send, refuse)
        return self.canvas

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.events.append(event)


async def read_final_state(url: str, crowd: Crowd, books: Books, token: str | None = None) -> None:
    """Record the final log and canvas of every session, as its users and a newcomer see them."""
    joined = [user for user in crowd.users if user.timeline.joined]
    for user in joined:
        user.record_canvas()
        await asyncio.sleep(0)  # The others' connections must not wait for all of them.
    expected = {user.session_id: user.canvas_state for user in joined}
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(session_id: str) -> None:
        async with slots:
            reader = SessionClient(
                url,
                session_id,
                client_id=f"{CLIENT_ID_PREFIX}reader-{session_id[-40:]}",
                token=token,
                listener=(listener := _Reader()),
                make_canvas=listener.make_canvas,
            )
            await _read_session(reader, listener, expected[session_id], books)

    await asyncio.gather(*(read(session_id) for session_id in expected))


async def _read_session(
    reader: SessionClient, listener: _Reader, expected: CanvasState, books: Books
) -> None:
    session_id = reader.session_id
    async with reader as client:
        if not await client.wait_until_restored(RESTORE_SECONDS):
            books.trouble.append(
                f"Session {session_id} could not be read at the end: "
                f"no restore within {RESTORE_SECONDS:g} s."
            )
            return
        assert listener.canvas is not None
        has_canvas = await wait_for_canvas(listener.canvas, expected)
        epoch = client.position.epoch if client.position else ""
        entries = [(event.seq, books.chat.identify(event)) for event in listener.events]
        books.chat.record_final_log(session_id, entries, epoch)
        given = books.conversations.add_reader(session_id, FRESH_READER, fold_at_once)
        given.epoch = epoch
        given.events.extend(listener.events)
        if has_canvas:
            books.edits.record_final(session_id, FRESH_READER, client.elements)
            return
        # Not a loss: nothing is known of it.
        books.trouble.append(
            f"The canvas of session {session_id} could not be read at the end: "
            f"it was not sent within {SYNC_SECONDS:g} s."
        )


async def wait_for_canvas(canvas: Canvas, expected: CanvasState) -> bool:
    """Wait for the canvas; what has not arrived by then counts as missing.

    False if nothing of it was sent.
    """
    if not await _wait(lambda: canvas.is_in_sync, SYNC_SECONDS):
        return False
    await wait_while_progressing(
        lambda: decode_state(canvas.doc.get_state()) == expected,
        canvas.doc.get_state,
        patience_seconds=CANVAS_SECONDS,
        longest_seconds=LONGEST_CANVAS_SECONDS,
        poll_seconds=POLL_SECONDS,
    )
    return True


async def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    for _ in range(int(seconds / POLL_SECONDS)):
        if condition():
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False
