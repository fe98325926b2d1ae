"""A small server of docs/protocol.md on a real socket, with faults on demand."""

import asyncio
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pycrdt import Doc, Map
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from isshoni.session.sync import (
    SyncStep1,
    SyncUpdate,
    apply_update,
    diff,
    make_step1,
    make_step2,
    make_update,
    parse_y_frame,
)

Json = dict[str, Any]


@dataclass
class Faults:
    """What goes wrong, until it is set right again."""

    close_on_open: int | None = None
    """Close every new connection with this code."""
    close_targeted: int | None = None
    """Close every new connection that has a `target`."""
    silent_to_targeted: bool = False
    """Never answer a restore on a connection that has a `target`."""
    silent: bool = False
    """Answer nothing: a half-open peer."""
    not_ready: int = 0
    """This many restores are answered with `not_ready`."""
    retry_after_ms: int | None = None
    """What `not_ready` says about when to ask again."""
    not_saved: int = 0
    """This many chats are answered with `not_saved`."""
    lost_acks: int = 0
    """This many chats are saved, and the connection cut before the answer."""
    unanswered: bool = False
    """Chats are neither saved nor answered."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Text → code of the error that answers it."""
    chat_delay_seconds: float = 0.0
    """Each chat is looked at this much later."""
    double_acks: bool = False
    withheld_events: set[int] = field(default_factory=set)
    """These seqs are logged, and not sent as they happen."""
    pages_not_ready: int = 0
    """This many pages of history are answered with `not_ready`."""
    lost_pages: int = 0
    """This many times the connection is cut when a page of history is asked for."""
    behind: int = 0
    """The next restore shows a log without its last entries, but counts them in `last_n`."""
    cut_restores_from: int | None = None
    """The connection is cut, once, when a restore from this seq is asked for."""
    canvas_not_saved: bool = False
    """Updates are taken, and no `saved` is sent."""


@dataclass(eq=False)
class Peer:
    """One connection, as the server sees it."""

    socket: ServerConnection
    target: str | None
    ticket: str | None
    restores: list[Json] = field(default_factory=list)
    unanswered: Json | None = None
    chats: list[Json] = field(default_factory=list)
    saved: int = 0
    syncs: bool = False
    close_code: int | None = None

    async def send(self, message: Json | bytes) -> None:
        with suppress(ConnectionClosed):
            frame = message if isinstance(message, bytes) else json.dumps(message)
            await self.socket.send(frame)

    @property
    def is_restored(self) -> bool:
        return bool(self.restores)


class ScriptedServer:
    """One session in memory; `peers` lists every connection there ever was."""

    def __init__(self, heartbeat_seconds: float = 20.0) -> None:
        self.faults = Faults()
        self.heartbeat_seconds = heartbeat_seconds
        self.protocols: dict[str | None, int] = defaultdict(lambda: 1)
        """The version in the answer to a restore, by the colour that a client asked for."""
        self.features: list[str] = []
        """What chat messages may carry; without any it is dropped, as an older server does."""
        self.more_restored: Json = {}
        """Further fields of `session_restored`."""
        self.epoch = "epoch-1"
        self.forgets_before = 0
        """A position before this seq is too far back for a replay."""
        self.history_limit = 200
        """Messages that a restore without a replay brings at most."""
        self.log: list[Json] = []
        self.last_n: dict[str, int] = {}
        self.doc: Doc[Any] = Doc()
        self.elements: Map[Any] = self.doc.get("elements", type=Map)
        self.peers: list[Peer] = []
        self.open: list[Peer] = []
        self.most_open = 0
        self.pings = 0
        self.changed = asyncio.Event()
        self._server: Server | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.die()
        await self.stop_listening()

    async def listen(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self._port, compression=None, ping_interval=None,
            close_timeout=0.5,
        )  # fmt: skip
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        if self._server is not None:
            self._server.close(close_connections=False)
            self._server = None
            for peer in list(self.open):
                await peer.socket.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    def die(self) -> None:
        """Drop every connection without a close frame."""
        for peer in list(self.open):
            peer.socket.transport.abort()

    async def close_all(self, code: int) -> None:
        await asyncio.gather(*(peer.socket.close(code) for peer in list(self.open)))

    async def migrate(self, to: str = "green") -> None:
        for peer in list(self.open):
            await peer.send({"type": "migrate", "to": to, "ticket": "t-1+/=", "within_ms": 10000})

    async def say(self, text: str, client_id: str = "other") -> None:
        """Append a message of another client."""
        await self._append(client_id, self.last_n.get(client_id, 0) + 1, text)

    async def send_to_all(self, message: Json) -> None:
        for peer in list(self.open):
            await peer.send(message)

    async def until(self, condition: Any, timeout: float = 5.0) -> None:
        async with asyncio.timeout(timeout):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def texts(self) -> list[str]:
        return [event["text"] for event in self.log]

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        peer = Peer(socket, query.get("target", [None])[0], query.get("ticket", [None])[0])
        self.peers.append(peer)
        self.open.append(peer)
        self.most_open = max(self.most_open, len(self.open))
        self.changed.set()
        try:
            await self._talk(peer)
        except ConnectionClosed:
            pass
        finally:
            peer.close_code = socket.close_code
            self.open.remove(peer)
            self.changed.set()

    async def _talk(self, peer: Peer) -> None:
        faults = self.faults
        refusal = faults.close_targeted if peer.target else None
        if code := refusal or faults.close_on_open:
            await peer.socket.close(code)
            return
        async for frame in peer.socket:
            if faults.silent:
                continue
            if isinstance(frame, bytes):
                await self._take_binary(peer, frame)
            else:
                await self._take_text(peer, json.loads(frame))
            self.changed.set()

    async def _take_text(self, peer: Peer, message: Json) -> None:
        match message["type"]:
            case "ping":
                self.pings += 1
                await peer.send({"type": "pong"})
            case "restore_session":
                await self._restore(peer, message)
            case "chat":
                await self._take_chat(peer, message)
            case "history":
                await self._take_history(peer, message)

    async def answer_restore(self, peer: Peer) -> None:
        """Answer the restore that was left without answer."""
        assert peer.unanswered is not None
        await self._answer(peer, peer.unanswered)

    async def _restore(self, peer: Peer, message: Json) -> None:
        if peer.target and self.faults.silent_to_targeted:
            peer.unanswered = message
            return
        position = message["position"]
        if position and position["seq"] == self.faults.cut_restores_from:
            self.faults.cut_restores_from = None
            peer.socket.transport.abort()
            return
        if self.faults.not_ready:
            self.faults.not_ready -= 1
            error: Json = {"type": "error", "code": "not_ready", "message": "soon"}
            if self.faults.retry_after_ms is not None:
                error["retry_after_ms"] = self.faults.retry_after_ms
                peer.unanswered = message
            await peer.send(error)
            return
        await self._answer(peer, message)

    async def _answer(self, peer: Peer, message: Json) -> None:
        # From here its events follow: nothing may be logged between this and the answer.
        peer.restores.append(message)
        asked = message["position"] or {"epoch": None, "seq": 0}
        log = self.log[: len(self.log) - self.faults.behind]
        self.faults.behind = 0
        known = asked["epoch"] == self.epoch and (
            self.forgets_before <= asked["seq"] + 1 <= len(log) + 1
        )
        oldest = max(0, self.forgets_before - 1, len(log) - self.history_limit)
        after = asked["seq"] if known else oldest
        await peer.send(
            {
                "type": "session_restored",
                "session_id": message["session_id"],
                "client_id": message["client_id"],
                "protocol": self.protocols[peer.target],
                "mode": "replay" if known else "full",
                "position": {"epoch": self.epoch, "seq": len(log)},
                "last_n": self.last_n.get(message["client_id"], 0),
                "chat_history": log[after:],
                "canvas_state": None,
                "server": {
                    "version": "v1",
                    "colour": peer.target or "blue",
                    "heartbeat_seconds": self.heartbeat_seconds,
                },
                **({"features": self.features} if self.features else {}),
                **self.more_restored,
            }
        )

    async def _take_history(self, peer: Peer, message: Json) -> None:
        if self.faults.pages_not_ready:
            self.faults.pages_not_ready -= 1
            await peer.send({"type": "error", "code": "not_ready", "message": "soon"})
            return
        if self.faults.lost_pages:
            self.faults.lost_pages -= 1
            peer.socket.transport.abort()
            return
        older = self.log[: message["before"] - 1]
        page = {"chat_history": older[-message["limit"] :], "more": len(older) > message["limit"]}
        await peer.send({"type": "history", **page})

    async def _take_chat(self, peer: Peer, message: Json) -> None:
        peer.chats.append(message)
        if self.faults.chat_delay_seconds:
            await asyncio.sleep(self.faults.chat_delay_seconds)
        if self.faults.unanswered:
            return
        if code := self.faults.refusals.get(message["text"]):
            await peer.send({"type": "error", "code": code, "message": "no", "n": message["n"]})
            return
        client_id = peer.restores[0]["client_id"]
        n, last_n = message["n"], self.last_n.get(client_id, 0)
        if last_n and n > last_n + 1:
            await peer.send({"type": "error", "code": "gap", "message": "a hole",
                             "n": n, "expected": last_n + 1})  # fmt: skip
            return
        if n <= last_n:
            await peer.send({"type": "ack", "n": n, "seq": None})
            return
        if self.faults.not_saved:
            self.faults.not_saved -= 1
            await peer.send({"type": "error", "code": "not_saved", "message": "no", "n": n})
            return
        carried = ("about", "files") if self.features else ()
        extras = {key: message[key] for key in carried if key in message}
        seq = await self._append(client_id, n, message["text"], extras)
        if self.faults.lost_acks:
            self.faults.lost_acks -= 1
            peer.socket.transport.abort()
            return
        for _ in range(2 if self.faults.double_acks else 1):
            await peer.send({"type": "ack", "n": n, "seq": seq})

    async def _append(self, client_id: str, n: int, text: str, extras: Json | None = None) -> int:
        seq = len(self.log) + 1
        event = {"type": "chat", "seq": seq, "client_id": client_id, "n": n, "text": text, "at": 0}
        event |= extras or {}
        self.log.append(event)
        self.last_n[client_id] = n
        self.changed.set()
        if seq not in self.faults.withheld_events:
            for peer in list(self.open):
                if peer.is_restored:
                    await peer.send(event)
        return seq

    async def _take_binary(self, peer: Peer, frame: bytes) -> None:
        match parse_y_frame(frame):
            case SyncStep1(state):
                peer.syncs = True
                await peer.send(make_step2(diff(self.doc, state)))
                await peer.send(make_step1(self.doc))
            case SyncUpdate() as sync if sync.carries_changes:
                apply_update(self.doc, sync.update)
                for other in list(self.open):
                    if other.syncs:
                        await other.send(make_update(sync.update))
                peer.saved += 1
                if not self.faults.canvas_not_saved:
                    await peer.send({"type": "saved", "updates": peer.saved})
