"""What a restore says of a client's messages, it also shows."""

import json

import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.store.ports import Listener
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.unit.backend.test_connection import SETTINGS, Peer


class DeafStore(FakeSessionStore):
    """A store whose publications are on their way for ever."""

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        await super().subscribe(session_id, lambda published: None)


@pytest.mark.spec("A4")
@pytest.mark.parametrize("knows_a_position", [False, True])
async def test_every_message_that_last_n_counts_is_in_the_history(knows_a_position: bool) -> None:
    server = FakeServer()
    manager = WebSocketManager(BackendContext(SETTINGS, DeafStore(server)))
    position = (await Peer(manager).restore(client_id="ann"))["position"]
    other = FakeSessionStore(server)
    for n in (1, 2):
        envelope = {"client_id": "me", "n": n, "text": f"in another life {n}", "at": 1}
        await other.append_chat("s", "me", n, json.dumps(envelope).encode())
    known = {"position": position} if knows_a_position else {}
    restored = await Peer(manager).restore(client_id="me", **known)
    assert restored["last_n"] == 2
    assert [event["n"] for event in restored["chat_history"]] == [1, 2]
    assert restored["position"]["seq"] == 2
