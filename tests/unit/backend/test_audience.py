"""What the connections of a session are sent, and which of a client's is the newest."""

from typing import Any

from isshoni.backend.context import BackendContext
from isshoni.backend.live.audience import Audience
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.security.auth import GUEST
from isshoni.backend.settings.settings import BackendSettings
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.connection_events import (
    BinaryReceived,
    RestoreAnswered,
    RestoreAsked,
    TextReceived,
)
from tests.support.fake_store import FakeSessionStore

SETTINGS = BackendSettings(admin_token="a", ticket_secret="s" * 32)
CONTEXT = BackendContext(SETTINGS, FakeSessionStore())
FRAME = Outgoing.text(b"{}")


class Socket:
    """A connection and what was sent on it."""

    def __init__(self, audience: Audience) -> None:
        self.sent: list[Any] = []
        self.connection = Connection(CONTEXT, "s", GUEST, self._send)
        audience.enter(self.connection)

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def restore(self, *, generation: int = 1, can_canvas: bool = False) -> "Socket":
        for event in (
            TextReceived(),
            RestoreAsked(),
            RestoreAnswered("ann", generation, can_canvas),
        ):
            self.connection.apply(event)
        return self


def test_each_connection_is_sent_what_it_reads() -> None:
    audience = Audience()
    silent = Socket(audience)
    as_json, as_yjs = Socket(audience).restore(), Socket(audience).restore(can_canvas=True)
    as_yjs.connection.apply(BinaryReceived())
    audience.send_chat(FRAME)
    audience.send_canvas(Outgoing.binary(b"\0"))
    audience.send_elements(lambda: FRAME)
    assert [len(socket.sent) for socket in (silent, as_json, as_yjs)] == [0, 2, 2]
    assert [list(message)[1] for message in as_json.sent] == ["text", "text"]
    assert [list(message)[1] for message in as_yjs.sent] == ["text", "bytes"]


def test_elements_are_not_encoded_without_a_reader() -> None:
    audience, made = Audience(), []
    Socket(audience).restore(can_canvas=True)
    audience.send_elements(lambda: made.append(1) or FRAME)  # type: ignore[func-returns-value]
    assert made == []


async def test_a_closed_connection_is_sent_nothing_and_stays_until_it_leaves() -> None:
    audience = Audience()
    socket = Socket(audience).restore()
    audience.close(CloseCode.RESUME)
    audience.send_chat(FRAME)
    assert [message["type"] for message in socket.sent] == ["websocket.close"]
    assert len(audience) == 1
    audience.leave(socket.connection)
    assert not audience


def test_an_older_connection_is_superseded_whichever_restored_last() -> None:
    audience = Audience()
    new, old = Socket(audience).restore(generation=2), Socket(audience).restore(generation=1)
    audience.record_generation("ann", 2)
    audience.record_generation("ann", 1)
    assert audience.is_superseded(old.connection)
    assert not audience.is_superseded(new.connection)
