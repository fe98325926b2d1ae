"""The wire that a server offers for a connection."""

import asyncio
from collections.abc import Sequence
from typing import Any

from isshoni.backend.context import BackendContext
from isshoni.backend.live.outgoing import Sendable
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.live.wire import EXTENSION, AsgiWire
from tests.support.fake_store import FakeSessionStore
from tests.unit.backend.test_connection import SETTINGS, Peer


class RecordingWire(AsgiWire):
    """A wire of a server that has one, over the `send` of the test."""

    writes = 0

    def write(self, frames: Sequence[Sendable]) -> None:
        self.writes += 1
        super().write(frames)


async def test_a_connection_writes_to_the_wire_that_its_server_offers() -> None:
    manager = WebSocketManager(BackendContext(SETTINGS, FakeSessionStore()))
    ann = Peer(manager)
    await ann.leave()
    wire = RecordingWire(ann._take)
    ann.inbox.put_nowait({"type": "websocket.connect"})
    scope: dict[str, Any] = {"query_string": b"", "headers": [], "client": None}
    scope["extensions"] = {EXTENSION: wire}
    ann.task = asyncio.create_task(manager.serve("s", scope, ann.inbox.get, ann._take))
    await ann.restore()
    assert wire.writes == 1
    await ann.leave()
