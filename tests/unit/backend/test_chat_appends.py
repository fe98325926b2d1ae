"""Messages of one turn are appended together: their order, their failures, and who is answered."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live import log_recovery
from isshoni.backend.live.chat_appends import MAX_TOGETHER, ChatAppend, ChatAppends
from isshoni.backend.live.in_flight import InFlight
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.store.ports import (
    Answer,
    Appended,
    AppendResult,
    Behind,
    NewMessage,
    Published,
)
from isshoni.backend.store.redis.link import WriteGate
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS


class RecordingStore(FakeSessionStore):
    """A store that records how many messages each call had; its lone writes pass a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.gate = WriteGate()

    def start_append(
        self, session_id: str, messages: Sequence[NewMessage], answer: Answer, **known: Any
    ) -> bool:
        self.calls.append(len(messages))
        return super().start_append(session_id, messages, answer, **known)

    async def append_chat(self, *arguments: Any, **known: Any) -> AppendResult:
        await self.gate.enter(30.0)
        try:
            return await super().append_chat(*arguments, **known)
        finally:
            self.gate.leave()


class Sender:
    """One connection that sends messages."""

    def __init__(self, name: str, appends: ChatAppends) -> None:
        self.name = name
        self.appends = appends
        self.in_flight = InFlight()
        self.answered: list[tuple[int, object]] = []

    def send(self, *numbers: int) -> None:
        for n in numbers:
            text = b'{"client_id":"%b","n":%d,"text":"x","at":1}' % (self.name.encode(), n)
            append = ChatAppend(self.name, n, text, n - 1, 0.0, self.in_flight)
            self.in_flight.add(append, self._answer)
            self.appends.add(append)

    def _answer(self, append: ChatAppend) -> None:
        self.answered.append((append.n, append.outcome))


async def _open() -> tuple[RecordingStore, LiveSession]:
    store = RecordingStore()
    return store, await _open_on(store)


async def _open_on(store: RecordingStore) -> LiveSession:
    session = LiveSession("s", BackendContext(SETTINGS, store))
    await session.ensure_loaded()
    return session


async def test_the_messages_of_a_turn_of_all_connections_are_one_call() -> None:
    store, session = await _open()
    ann, bob = Sender("ann", session.chat_appends), Sender("bob", session.chat_appends)
    ann.send(1, 2)
    bob.send(1)
    ann.send(3)
    assert store.calls == []
    await wait_until(lambda: len(ann.answered) == 3 and len(bob.answered) == 1, "all are answered")
    assert store.calls == [4]
    assert ann.answered == [(1, Appended(1)), (2, Appended(2)), (3, Appended(4))]
    assert bob.answered == [(1, Appended(3))]
    assert ann.in_flight.is_empty


async def test_many_messages_are_several_calls_in_order() -> None:
    store, session = await _open()
    ann = Sender("ann", session.chat_appends)
    ann.send(*range(1, MAX_TOGETHER + 3))
    await wait_until(lambda: len(ann.answered) == MAX_TOGETHER + 2, "all are answered")
    assert store.calls == [MAX_TOGETHER, 2]
    assert [outcome for _, outcome in ann.answered] == [
        Appended(seq) for seq in range(1, MAX_TOGETHER + 3)
    ]


async def test_each_message_of_a_call_that_failed_is_answered_with_the_failure() -> None:
    store, session = await _open()
    ann, bob = Sender("ann", session.chat_appends), Sender("bob", session.chat_appends)
    store.failing = True
    ann.send(1, 2)
    bob.send(1)
    await wait_until(lambda: len(ann.answered) == 2 and bob.answered, "all are answered")
    assert all(isinstance(outcome, Exception) for _, outcome in ann.answered + bob.answered)


async def test_nothing_is_sent_while_a_lost_log_is_recovered() -> None:
    store, session = await _open()
    ann = Sender("ann", session.chat_appends)
    ann.send(1)
    await wait_until(lambda: ann.answered, "the first is answered")
    session._start_recovery(0)
    ann.send(2)
    await wait_until(lambda: len(ann.answered) == 2, "the second is answered")
    assert ann.answered[1] == (2, Behind())
    assert store.calls == [1]
    session._forget()


async def test_messages_that_must_wait_are_appended_alone_and_before_later_ones() -> None:
    store, session = await _open()
    ann = Sender("ann", session.chat_appends)
    store.gate.close("fenced", keeps_waiting=True)
    store.waits = True
    ann.send(1, 2)
    await wait_until(lambda: store.gate.waiting == 2, "two writes wait")
    store.waits = False
    ann.send(3)  # it could be sent now, but would pass the first two
    await wait_until(lambda: store.gate.waiting == 3, "three writes wait")
    store.gate.open()
    await wait_until(lambda: len(ann.answered) == 3, "all are answered")
    assert ann.answered == [(n, Appended(n)) for n in (1, 2, 3)]
    ann.send(4)
    await wait_until(lambda: len(ann.answered) == 4, "the last is answered")
    assert store.calls[-1] == 1 and len(store.calls) == 2


async def test_waiting_messages_of_one_connection_are_dropped_without_those_of_others() -> None:
    store, session = await _open()
    ann, bob = Sender("ann", session.chat_appends), Sender("bob", session.chat_appends)
    store.gate.close("fenced", keeps_waiting=True)
    store.waits = True
    ann.send(1)
    bob.send(1)
    ann.send(2)
    await wait_until(lambda: store.gate.waiting == 3, "three writes wait")
    ann.in_flight.drop(store.gate.holds)
    await wait_until(lambda: store.gate.waiting == 1, "two were dropped")
    store.gate.open()
    await wait_until(lambda: bob.answered, "the other is answered")
    await asyncio.sleep(0)
    assert ann.answered == [] and ann.in_flight.is_empty
    assert bob.answered == [(1, Appended(1))]


class DurableStore(RecordingStore):
    """A store that answers once replicas have the messages: after their publications."""

    drops_publications = False

    def start_append(
        self, session_id: str, messages: Sequence[NewMessage], answer: Answer, **known: Any
    ) -> bool:
        loop = asyncio.get_running_loop()

        def answer_later(outcome: Sequence[AppendResult] | Exception) -> None:
            loop.call_soon(loop.call_soon, answer, outcome)

        return super().start_append(session_id, messages, answer_later, **known)

    def hear(self, session_id: str, publication: Published) -> None:
        if not self.drops_publications:
            super().hear(session_id, publication)


async def test_messages_published_before_their_answer_take_no_room_of_those_that_may_be_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_recovery, "_MAX_UNDELIVERED", 4)
    store = DurableStore()
    session = await _open_on(store)
    ann = Sender("ann", session.chat_appends)
    for n in range(1, 9):
        ann.send(n)
        await wait_until(lambda: ann.in_flight.is_empty, "it is answered")
    store.drops_publications = True
    ann.send(9)
    await wait_until(lambda: ann.in_flight.is_empty, "the last is answered, and not published")
    store.server.lose_tail("s", 8)
    store.drops_publications = False
    await session.catch_up()

    log = store.server.sessions["s"].chat
    await wait_until(lambda: len(log) == 9, "the last one is in the log again")
    session._forget()
