"""What an application's listener does wrong is not the end of its client."""

import pytest

from isshoni.client import ChatEvent, ClientListener, ConnectionChange, SessionClient
from tests.integration.client.recorder import QUICK
from tests.integration.client.scripted_server import ScriptedServer


class Failing(ClientListener):
    """A listener of an application with faults."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_connection(self, change: ConnectionChange, at: float) -> None:
        raise ValueError(change.state)

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.texts.append(event.text)
        raise KeyError(event.text)

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        raise ZeroDivisionError


async def test_a_listener_that_raises_does_not_end_the_client(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Failing()
    async with SessionClient(server.url, "team", listener=listener, settings=QUICK) as client:
        assert await client.wait_until_restored(5)
        for text in "ab":
            client.send_chat(text)
        assert await client.wait_until_saved(5)
        server.die()
        await server.until(lambda: len(server.peers) == 2 and server.peers[1].is_restored)
        client.send_chat("c")
        assert await client.wait_until_saved(5)
        await server.until(lambda: len(server.log) == 3)
        assert server.texts() == ["a", "b", "c"]
    assert listener.texts == ["a", "b", "c"]
    assert "on_chat of the listener failed" in caplog.text
