"""What the connections of a session are sent, and which of a client's is the newest."""

from typing import Any

from isshoni.backend.context import BackendContext
from isshoni.backend.live.audience import Audience
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.live.turn import Turn
from isshoni.backend.live.wire import AsgiWire
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
        self.connection = Connection(CONTEXT, "s", GUEST, AsgiWire(self._send))
        audience.enter(self.connection)

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def restore(
        self, *, generation: int = 1, can_canvas: bool = False, can_batch: bool = False
    ) -> "Socket":
        for event in (
            TextReceived(),
            RestoreAsked(),
            RestoreAnswered("ann", generation, can_canvas, can_batch=can_batch),
        ):
            self.connection.apply(event)
        return self


def end_turn() -> None:
    Turn.current().flush()


async def test_each_connection_is_sent_what_it_reads() -> None:
    audience = Audience()
    silent = Socket(audience)
    as_json, as_yjs = Socket(audience).restore(), Socket(audience).restore(can_canvas=True)
    as_yjs.connection.apply(BinaryReceived())
    audience.send_chat(FRAME)
    audience.send_canvas(Outgoing.binary(b"\0"))
    audience.send_elements(lambda: FRAME)
    end_turn()
    assert [len(socket.sent) for socket in (silent, as_json, as_yjs)] == [0, 2, 2]
    assert [list(message)[1] for message in as_json.sent] == ["text", "text"]
    assert [list(message)[1] for message in as_yjs.sent] == ["text", "bytes"]


async def test_elements_are_not_encoded_without_a_reader() -> None:
    audience, made = Audience(), []
    Socket(audience).restore(can_canvas=True)
    audience.send_elements(lambda: made.append(1) or FRAME)  # type: ignore[func-returns-value]
    assert made == []


async def test_a_closed_connection_is_sent_nothing_and_stays_until_it_leaves() -> None:
    audience = Audience()
    socket = Socket(audience).restore()
    audience.close(CloseCode.RESUME)
    audience.send_chat(FRAME)
    end_turn()
    assert [message["type"] for message in socket.sent] == ["websocket.close"]
    assert len(audience) == 1
    audience.leave(socket.connection)
    assert not audience


async def test_an_older_connection_is_superseded_whichever_restored_last() -> None:
    audience = Audience()
    new, old = Socket(audience).restore(generation=2), Socket(audience).restore(generation=1)
    audience.record_generation("ann", 2)
    audience.record_generation("ann", 1)
    assert audience.is_superseded(old.connection)
    assert not audience.is_superseded(new.connection)


def _texts(socket: Socket) -> list[str]:
    return [message["text"] for message in socket.sent]


async def test_a_client_that_can_batch_gets_the_events_of_a_turn_in_one_frame() -> None:
    audience = Audience()
    plain, batching = Socket(audience).restore(), Socket(audience).restore(can_batch=True)
    audience.send_chat(Outgoing.text(b'{"seq":1}'))
    end_turn()
    audience.send_chat(Outgoing.text(b'{"seq":2}'))
    audience.send_chat(Outgoing.text(b'{"seq":3}'))
    end_turn()
    assert _texts(plain) == ['{"seq":1}', '{"seq":2}', '{"seq":3}']
    assert _texts(batching) == [
        '{"seq":1}',
        '{"type":"events","events":[{"seq":2},{"seq":3}]}',
    ]


async def test_a_connection_that_restores_within_a_turn_gets_only_later_events() -> None:
    audience = Audience()
    here, late = Socket(audience).restore(), Socket(audience)
    audience.send_chat(Outgoing.text(b"1"))
    late.restore()
    late.connection.send_json(b"restored")
    audience.send_chat(Outgoing.text(b"2"))
    end_turn()
    assert _texts(here) == ["1", "2"]
    assert _texts(late) == ["restored", "2"]


async def test_a_connection_that_restores_again_gets_its_answer_before_later_events() -> None:
    audience = Audience()
    here = Socket(audience).restore()
    audience.send_chat(Outgoing.text(b"1"))
    here.restore(generation=2)
    here.connection.send_json(b"restored")
    audience.send_chat(Outgoing.text(b"2"))
    end_turn()
    assert _texts(here) == ["1", "restored", "2"]


async def test_a_viewer_that_comes_within_a_turn_gets_later_updates() -> None:
    audience = Audience()
    first, second = Socket(audience), Socket(audience)
    first.connection.apply(BinaryReceived())
    audience.send_canvas(Outgoing.binary(b"1"))
    second.connection.apply(BinaryReceived())
    audience.send_canvas(Outgoing.binary(b"2"))
    end_turn()
    assert [m["bytes"] for m in first.sent] == [b"1", b"2"]
    assert [m["bytes"] for m in second.sent] == [b"2"]


async def test_events_of_a_turn_arrive_before_the_close() -> None:
    audience = Audience()
    socket = Socket(audience).restore()
    audience.send_chat(Outgoing.text(b"1"))
    socket.connection.close(CloseCode.RESUME)
    audience.send_chat(Outgoing.text(b"2"))
    end_turn()
    assert [message.get("text", message.get("code")) for message in socket.sent] == ["1", 4000]


async def test_no_batch_is_kept_after_its_turn() -> None:
    audience = Audience()
    Socket(audience)
    audience.send_chat(FRAME)
    audience.send_canvas(FRAME)
    end_turn()
    assert audience._chat_batch is None
    assert audience._canvas_batch is None
