"""Isshoni's backend with one fault put in, to show that the ledger or the engine finds it.

    python tests/releases/bad.py --fault double --every 50
    isshoni deploy bad --command \
        "python tests/releases/bad.py --fault slow {port} {admin_port}"

The environment is that of `python -m isshoni.backend`; ports may be given as arguments
too. Each fault is one that real releases have had; it strikes at every so-many-th
message, edit, request or upgrade.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from msgspec import structs
from starlette.types import Receive, Scope, Send

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.http import admin
from isshoni.backend.http.app import PlatformApp
from isshoni.backend.live import chat_writer
from isshoni.backend.live.canvas_writer import CanvasWriter
from isshoni.backend.live.chat_writer import ChatWriter
from isshoni.backend.live.live_canvas import LiveCanvas
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.outgoing import Sendable
from isshoni.backend.live.reader import Reader
from isshoni.backend.live.send_queue import SendQueue
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.process.server import main as serve
from isshoni.backend.security.vault import Vault
from isshoni.backend.store import formats
from isshoni.backend.store.formats import Formats
from isshoni.backend.store.ports import Entry
from isshoni.backend.store.redis.keys import REHEARSAL_PREFIX
from isshoni.backend.store.redis.store import RedisStore
from isshoni.session.close_codes import CloseCode
from isshoni.session.messages import Chat, ChatEnvelope, RestoreSession, Saved, encode_envelope
from isshoni.session.yjs_contents import Contents

LATE_SECONDS = 0.2
"""A message held back goes out by then even if no other overtakes it."""
SLOW_SECONDS = 0.2
LEAK_BYTES = 1 << 20
LEAK_TURN_SECONDS = 0.1


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

    def faulty(self: SendQueue, frame: Sendable) -> None:
        put(self, frame)
        if _is_event(frame) and turn.has_come():
            put(self, frame)

    SendQueue.put = faulty  # type: ignore[method-assign]


def swap(turn: _Turn) -> None:
    """Let an event be overtaken by the next one on its connection."""
    put = SendQueue.put
    held: dict[SendQueue, Sendable] = {}

    def release(queue: SendQueue) -> None:
        if queue in held:
            put(queue, held.pop(queue))

    def faulty(self: SendQueue, frame: Sendable) -> None:
        if _is_event(frame) and self not in held and turn.has_come():
            held[self] = frame
            asyncio.get_running_loop().call_later(LATE_SECONDS, release, self)
            return
        put(self, frame)
        if _is_event(frame):
            release(self)

    SendQueue.put = faulty  # type: ignore[method-assign]


def cut(turn: _Turn) -> None:
    """End the connection that a message came on."""
    write = ChatWriter.write

    def faulty(self: ChatWriter, chat: Chat) -> None:
        write(self, chat)
        if turn.has_come():
            self._connection.close(CloseCode.INTERNAL_ERROR)

    ChatWriter.write = faulty  # type: ignore[method-assign]


def lose_ack(turn: _Turn) -> None:
    """Write messages, and never acknowledge any more on this connection.

    One lost ack is no fault: the next covers it.
    """
    acknowledge = ChatWriter._acknowledge
    mute: set[ChatWriter] = set()

    def faulty(self: ChatWriter, n: int, seq: int | None) -> None:
        if turn.has_come():
            mute.add(self)
        if self not in mute:
            acknowledge(self, n, seq)

    ChatWriter._acknowledge = faulty  # type: ignore[method-assign]


def forget_about(turn: _Turn) -> None:
    """Store a message about another one as plain text."""
    encode = ChatWriter._encode
    due = 0

    def faulty(self: ChatWriter, chat: Chat) -> bytes:
        nonlocal due
        due += turn.has_come()
        if due and chat.about is not None:
            due -= 1
            chat = structs.replace(chat, about=None)
        return encode(self, chat)

    ChatWriter._encode = faulty  # type: ignore[method-assign]


def lose_edit(turn: _Turn) -> None:
    """Say that an edit is saved, and save nothing; nor look for what is missing."""
    add = CanvasWriter._add
    LiveCanvas._ask_for_missing_updates = lambda self: None  # type: ignore[method-assign]

    def faulty(
        self: CanvasWriter, update: bytes, contents: Contents | None, *, frames: int
    ) -> None:
        if not turn.has_come():
            add(self, update, contents, frames=frames)
            return
        self._saved += frames
        self._connection.send_message(Saved(self._saved))

    CanvasWriter._add = faulty  # type: ignore[method-assign]


def answer_5xx(turn: _Turn) -> None:
    """Answer requests and upgrades with 500.

    Not what the health check asks for: the balancer would take the release out of service,
    and nobody would have to judge it.
    """
    _answer(turn, {"http", "websocket"}, 500)


def refuse(turn: _Turn) -> None:
    """Refuse upgrades."""
    _answer(turn, {"websocket"}, 503)


def hang(turn: _Turn) -> None:
    """Never answer a restore."""
    restore = Reader._restore

    async def faulty(self: Reader, request: RestoreSession) -> None:
        if turn.has_come():
            await asyncio.Event().wait()
        await restore(self, request)

    Reader._restore = faulty  # type: ignore[method-assign]


def slow(turn: _Turn) -> None:
    """Take 200 ms more for an ack."""
    append = RedisStore.append_chat

    async def faulty(self: RedisStore, *message: Any, **known: Any) -> Any:
        result = await append(self, *message, **known)
        if turn.has_come():
            await asyncio.sleep(SLOW_SECONDS)
        return result

    RedisStore.append_chat = faulty  # type: ignore[assignment]
    _append_alone()


def _append_alone() -> None:
    """Let every message pass `append_chat`."""

    def start_append(*_: Any, **__: Any) -> bool:
        return False

    RedisStore.start_append = start_append  # type: ignore[method-assign]


def read_only(turn: _Turn) -> None:
    """Be ready, restore, and write nothing to Redis."""

    async def faulty(self: RedisStore, *message: Any, **known: Any) -> Any:
        raise StoreUnavailable("READONLY You can't write against a read only replica.")

    RedisStore.append_chat = faulty  # type: ignore[assignment]
    RedisStore.append_canvas = faulty  # type: ignore[assignment]
    _append_alone()


def read_only_for_clients(turn: _Turn) -> None:
    """Write nothing to Redis but in the session in which readiness is proven."""
    append_chat, append_canvas = RedisStore.append_chat, RedisStore.append_canvas

    async def faulty_chat(self: RedisStore, session_id: str, *message: Any, **known: Any) -> Any:
        if not session_id.startswith(REHEARSAL_PREFIX):
            raise StoreUnavailable("READONLY You can't write against a read only replica.")
        return await append_chat(self, session_id, *message, **known)

    async def faulty_canvas(self: RedisStore, session_id: str, *update: Any, **known: Any) -> Any:
        if not session_id.startswith(REHEARSAL_PREFIX):
            raise StoreUnavailable("READONLY You can't write against a read only replica.")
        return await append_canvas(self, session_id, *update, **known)

    RedisStore.append_chat = faulty_chat  # type: ignore[assignment]
    RedisStore.append_canvas = faulty_canvas  # type: ignore[assignment]
    _append_alone()


def newer_form(turn: _Turn) -> None:
    """Write messages in a form that no other version reads, and tell so."""
    describe = formats.describe_formats

    def tell(vault: Vault) -> Formats:
        told = describe(vault)
        writes = tuple("chat:2" if form == "chat:1" else form for form in told.writes)
        return Formats(writes, (*told.reads, "chat:2"))

    def encode(envelope: ChatEnvelope) -> bytes:
        return encode_envelope(structs.replace(envelope, v=2))

    formats.ENVELOPE_VERSIONS = (1, 2)  # type: ignore[assignment]
    admin.describe_formats = tell  # type: ignore[attr-defined]
    chat_writer.encode_envelope = encode  # type: ignore[attr-defined]


def leak(turn: _Turn) -> None:
    """Take more and more memory from the first connection on, and die of it.

    `--every`: in how many tenths of a second.
    """
    serve_socket = WebSocketManager.serve
    leaked: list[bytearray] = []
    leaking: list[asyncio.Task[None]] = []

    async def grow() -> None:
        while not turn.has_come():
            leaked.append(bytearray(LEAK_BYTES))
            await asyncio.sleep(LEAK_TURN_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    async def faulty(self: WebSocketManager, *socket: Any) -> None:
        if not leaking:
            leaking.append(asyncio.create_task(grow()))
        await serve_socket(self, *socket)

    WebSocketManager.serve = faulty  # type: ignore[method-assign, assignment]


FAULTS: dict[str, tuple[Callable[[_Turn], None], int]] = {
    "answer_5xx": (answer_5xx, 50),
    "cut": (cut, 50),
    "double": (double, 50),
    "drop": (drop, 50),
    "hang": (hang, 1),
    "leak": (leak, 200),
    "lose_ack": (lose_ack, 10),
    "lose_edit": (lose_edit, 50),
    "forget_about": (forget_about, 50),
    "newer_form": (newer_form, 1),
    "read_only": (read_only, 1),
    "read_only_for_clients": (read_only_for_clients, 1),
    "refuse": (refuse, 10),
    "slow": (slow, 1),
    "swap": (swap, 50),
}
"""By name: the fault, and how often it strikes unless told otherwise."""


def main() -> int:
    """Put the fault in, and serve."""
    parser = argparse.ArgumentParser(description="Isshoni's backend with one fault put in.")
    parser.add_argument("--fault", choices=sorted(FAULTS), required=True)
    parser.add_argument("--every", type=int)
    parser.add_argument("port", nargs="?")
    parser.add_argument("admin_port", nargs="?")
    arguments = parser.parse_args()
    for name in ("port", "admin_port"):
        if getattr(arguments, name):
            os.environ[f"ISSHONI_{name.upper()}"] = getattr(arguments, name)
    put_in, every = FAULTS[arguments.fault]
    put_in(_Turn(max(1, arguments.every or every)))
    return serve()


def _answer(turn: _Turn, kinds: set[str], status: int) -> None:
    call = PlatformApp.__call__

    async def faulty(self: PlatformApp, scope: Scope, receive: Receive, send: Send) -> None:
        checked = scope["path"] == "/readyz"
        if checked or scope["type"] not in kinds or not turn.has_come():
            await call(self, scope, receive, send)
            return
        kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        await send({"type": f"{kind}.start", "status": status, "headers": []})
        await send({"type": f"{kind}.body", "body": b"broken"})

    PlatformApp.__call__ = faulty  # type: ignore[method-assign]


def _is_event(frame: Sendable) -> bool:
    return b'{"type":"chat"' in frame.seal()


if __name__ == "__main__":
    sys.exit(main())
