"""Chat messages that are handled without the reader: which are, and how they are refused."""

import asyncio
import json
from typing import Any

import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.chat_intake import ChatIntake
from isshoni.backend.live.chat_writer import ChatWriter
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.in_flight import MAX_IN_FLIGHT
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.wire import AsgiWire
from isshoni.backend.security.auth import GUEST, Permit
from isshoni.backend.settings.limits import Limits
from isshoni.backend.settings.settings import BackendSettings
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.server.token_bucket import Rate
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until

LIMITS = Limits(chat=Rate(1.0, 70.0))
SETTINGS = BackendSettings(admin_token="a", ticket_secret="s" * 32, limits=LIMITS)


class Place:
    """An intake on a session that is loaded, with what it refused."""

    def __init__(self, permit: Permit = GUEST, last_n: int = 5) -> None:
        self.store = FakeSessionStore()
        context = BackendContext(SETTINGS, self.store)
        self.session = LiveSession("s", context)
        self.refused: list[ProtocolError] = []

        async def send(message: Any) -> None:
            """Drop a frame."""

        self.connection = Connection(context, "s", permit, AsgiWire(send))
        self.intake = ChatIntake(self.connection, self.refused.append)
        self._last_n = last_n

    async def restore(self) -> None:
        await self.session.ensure_loaded()
        permit = self.connection.guard.permit
        self.intake.writer = ChatWriter(self.connection, self.session, permit, "ann", self._last_n)

    def say(self, n: int, **fields: Any) -> bool:
        message = {"type": "chat", "n": n, "text": "x", **fields}
        return self.intake.handle_at_once(json.dumps(message))

    async def texts(self) -> list[int]:
        log = await self.store.read_chat("s", after=0, limit=1000)
        return [json.loads(entry.payload)["n"] for entry in log]


async def test_a_chat_message_is_appended_at_once_and_others_left_to_the_reader() -> None:
    place = Place()
    assert not place.say(6)  # not restored yet
    await place.restore()
    assert place.say(6)
    assert place.say(7)
    for text in ('{"type":"ping"}', "{", '{"type":"chat","n":0,"text":"x"}'):
        assert not place.intake.handle_at_once(text)
    await wait_until(lambda: place.connection.in_flight.is_empty, "all are answered")
    assert await place.texts() == [6, 7]
    assert place.refused == []


async def test_it_leaves_a_message_to_the_reader_while_too_many_are_in_flight() -> None:
    place = Place(last_n=5)
    await place.restore()
    assert all([place.say(n) for n in range(6, 6 + MAX_IN_FLIGHT)])
    assert not place.say(6 + MAX_IN_FLIGHT)
    await wait_until(lambda: place.connection.in_flight.is_empty, "all are answered")
    assert place.say(6 + MAX_IN_FLIGHT)


async def test_of_a_client_that_is_new_to_the_log_only_one_message_is_handled_at_once() -> None:
    place = Place(last_n=0)
    await place.restore()
    assert place.say(1)
    assert not place.say(2)
    await wait_until(lambda: place.connection.in_flight.is_empty, "it is answered")
    assert place.say(2)


async def test_a_message_above_the_rate_is_refused_at_once() -> None:
    place = Place()
    await place.restore()
    for n in range(6, 76):
        assert place.say(n)
        await wait_until(lambda: place.connection.in_flight.is_empty, "it is answered")
    assert place.say(76)
    assert [(fault.code, fault.n) for fault in place.refused] == [("rate_limited", 76)]


async def test_a_message_of_a_reader_is_refused_at_once() -> None:
    place = Place(Permit("ann", "read"))
    await place.restore()
    assert place.say(6)
    assert [(fault.code, fault.n) for fault in place.refused] == [("read_only", 6)]
    await asyncio.sleep(0)
    assert await place.texts() == []


@pytest.mark.parametrize("how", ["closing", "finishing"])
async def test_a_connection_that_closes_or_finishes_leaves_all_to_the_reader(how: str) -> None:
    place = Place()
    await place.restore()
    if how == "closing":
        place.connection.close(CloseCode.SERVICE_RESTART)
    else:
        place.connection.is_finishing = True
    assert not place.say(6)
