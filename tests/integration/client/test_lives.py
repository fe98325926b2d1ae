"""Lives of one client_id: restarts, reloads, two at a time, and a log that forgot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from isshoni.client import SessionClient
from isshoni.session.messages import Position
from isshoni.session.outbox_state import KeptMessage, OutboxState
from tests.integration.client.recorder import QUICK, Recorder
from tests.integration.client.scripted_server import ScriptedServer

pytestmark = pytest.mark.spec("A4")


def make(server: ScriptedServer, recorder: Recorder, **options: Any) -> SessionClient:
    settings = options.pop("settings", QUICK)
    return SessionClient(
        server.url, "team", client_id="me", listener=recorder, settings=settings, **options
    )


@asynccontextmanager
async def living(client: SessionClient) -> AsyncIterator[SessionClient]:
    try:
        yield client
    finally:
        await client.aclose()


async def test_what_a_restarted_client_sends_before_its_restore_gets_into_the_log(
    server: ScriptedServer, recorder: Recorder
) -> None:
    async with living(make(server, Recorder())) as first:
        first.start()
        for number in range(3):
            first.send_chat(f"first life {number}")
        assert await first.wait_until_saved(5)
    async with living(make(server, recorder)) as second:
        assert [second.send_chat(text) for text in "abc"] == [1, 2, 3]
        second.start()
        assert await second.wait_until_saved(5)
        assert server.texts()[3:] == ["a", "b", "c"]
        assert recorder.numbered == [{1: 4, 2: 5, 3: 6}]
        assert [n for n, _ in recorder.acks] == [4, 5, 6]


async def test_a_message_of_an_earlier_life_that_was_under_way_costs_none_of_this_one(
    server: ScriptedServer, recorder: Recorder
) -> None:
    await server.say("before", client_id="me")
    async with living(make(server, recorder)) as client:
        client.start()
        assert await client.wait_until_restored(5)
        server.faults.withheld_events = {2}
        await server.say("of the earlier life", client_id="me")
        for text in "abc":
            client.send_chat(text)
        await server.until(lambda: len(server.peers[0].chats) == 1)
        await server.send_to_all(server.log[1])
        assert await client.wait_until_saved(5)
        assert server.texts() == ["before", "of the earlier life", "a", "b", "c"]


async def test_a_late_message_of_an_earlier_life_changes_no_order_while_the_log_is_slow(
    server: ScriptedServer, recorder: Recorder
) -> None:
    await server.say("before", client_id="me")
    settings = replace(QUICK, new_life_seconds=0.2)
    async with living(make(server, recorder, settings=settings)) as client:
        server.faults.chat_delay_seconds = 0.15
        client.start()
        assert await client.wait_until_restored(5)
        for text in "abcdef":
            client.send_chat(text)
        await server.until(lambda: "b" in server.texts())
        # Much later than `new_life_seconds`.
        await server.say("of the earlier life", client_id="me")
        assert await client.wait_until_saved(10)
        texts = [text for text in server.texts() if len(text) == 1]
        assert texts == ["a", "b", "c", "d", "e", "f"]


async def test_an_outbox_goes_on_in_the_next_life(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.faults.unanswered = True
    first = make(server, Recorder())
    first.start()
    assert await first.wait_until_restored(5)
    for text in "ab":
        first.send_chat(text)
    await server.until(lambda: server.peers[0].chats)
    state = first.outbox_state
    await first.acrash()
    server.faults.unanswered = False
    await server.say("a", client_id="me")  # the first had got through
    async with living(make(server, recorder, outbox=state)) as second:
        second.send_chat("c")
        second.start()
        assert await second.wait_until_saved(5)
        assert server.texts() == ["a", "b", "c"]


async def test_copies_of_an_earlier_life_that_arrive_late_change_no_order(
    server: ScriptedServer, recorder: Recorder
) -> None:
    await server.say("before", client_id="me")
    server.faults.unanswered = True
    async with living(make(server, Recorder())) as first:
        first.start()
        assert await first.wait_until_restored(5)
        first.send_chat("a")
        first.send_chat("b")
        await server.until(lambda: server.peers[0].chats)
        state = first.outbox_state
        await first.acrash()
    async with living(make(server, recorder, outbox=state)) as second:
        second.send_chat("c")
        second.start()
        await server.until(lambda: len(server.peers) == 2 and server.peers[1].chats)
        # The new life is restored and sends; the copies of the earlier one arrive first.
        server.faults.unanswered = False
        await server.say("a", client_id="me")
        await server.say("b", client_id="me")
        await server.close_all(1012)
        second.send_chat("d")
        assert await second.wait_until_saved(5)
        assert server.texts() == ["before", "a", "b", "c", "d"]


async def test_two_at_a_time_under_one_name_lose_nothing_and_double_nothing(
    server: ScriptedServer,
) -> None:
    async with living(make(server, Recorder())) as one, living(make(server, Recorder())) as two:
        one.start()
        two.start()
        typed = []
        for number in range(20):
            for name, client in (("one", one), ("two", two)):
                client.send_chat(f"{name} {number}")
                typed.append(f"{name} {number}")
            await asyncio.sleep(0.002)
        await server.until(lambda: len(server.log) == len(typed), timeout=10)
        assert await one.wait_until_saved(5)
        assert await two.wait_until_saved(5)
        assert sorted(server.texts()) == sorted(typed)


async def test_what_was_never_sent_is_not_acknowledged_by_the_number_of_another_life(
    server: ScriptedServer, recorder: Recorder
) -> None:
    async with living(make(server, recorder)) as client:
        client.start()
        assert await client.wait_until_restored(5)
        client.send_chat("before")
        assert await client.wait_until_saved(5)
        server.faults.behind = 2
        for peer in server.peers:
            peer.socket.transport.abort()
        await server.until(lambda: not client.is_restored)
        for text in ("mine", "mine too"):
            client.send_chat(text)
        for text in ("of another life", "of another life too"):
            await server.say(text, client_id="me")
        assert await client.wait_until_saved(10)
        assert server.texts()[3:] == ["mine", "mine too"]
        assert recorder.numbered == [{2: 4, 3: 5}]


async def test_a_number_that_another_life_used_beyond_the_history_acknowledges_nothing(
    server: ScriptedServer, recorder: Recorder
) -> None:
    await server.say("before", client_id="me")
    server.history_limit = 3
    for text in ("of another life", "of another life too"):
        await server.say(text, client_id="me")
    for number in range(5):
        await server.say(f"other {number}")
    pending = (KeptMessage(2, "mine"), KeptMessage(3, "mine too"))
    state = OutboxState("me", 3, pending, 3, Position("epoch-1", 1))
    async with living(make(server, recorder, outbox=state)) as client:
        client.start()
        assert await client.wait_until_saved(5)
        assert sorted(server.texts()[8:]) == ["mine", "mine too"]
        assert [peer.restores[1]["position"]["seq"] for peer in server.peers] == [1]


async def test_what_must_be_asked_for_is_asked_again_after_a_cut(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.history_limit = 3
    for text in ("before", "of another life"):
        await server.say(text, client_id="me")
    for number in range(5):
        await server.say(f"other {number}")
    state = OutboxState("me", 2, (KeptMessage(2, "mine"),), 2, Position("epoch-1", 1))
    async with living(make(server, recorder, outbox=state)) as client:
        server.faults.cut_restores_from = 1
        client.start()
        await server.until(lambda: server.faults.cut_restores_from is None)
        assert await client.wait_until_saved(5)
        assert server.texts()[7:] == ["mine"]


async def test_a_message_that_a_log_forgot_is_not_sent_blindly_after_a_cut(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.history_limit, server.forgets_before = 3, 4
    await server.say("before")
    await server.say("sent", client_id="me")
    server.last_n.clear()  # the log has forgotten who wrote it
    for number in range(5):
        await server.say(f"other {number}")
    state = OutboxState("me", 1, (KeptMessage(1, "sent"),), 1, Position("epoch-1", 1))
    async with living(make(server, recorder, outbox=state)) as client:
        server.faults.cut_restores_from = 1
        client.start()
        await server.until(lambda: server.faults.cut_restores_from is None)
        assert await client.wait_until_saved(5)
        assert recorder.doubtful == [(1, "sent")]
        assert server.texts().count("sent") == 1


async def test_a_number_is_believed_where_the_log_cannot_show_whose_it_is(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.history_limit, server.forgets_before = 3, 6
    for text in ("before", "sent"):
        await server.say(text, client_id="me")
    for number in range(6):
        await server.say(f"other {number}")
    state = OutboxState("me", 2, (KeptMessage(2, "sent"),), 2, Position("epoch-1", 1))
    async with living(make(server, recorder, outbox=state)) as client:
        client.start()
        assert await client.wait_until_saved(5)
        assert [n for n, _ in recorder.acks] == [2]
        assert len(server.log) == 8


async def test_an_event_that_never_comes_is_asked_for(
    server: ScriptedServer, recorder: Recorder
) -> None:
    await server.say("before", client_id="me")
    state = OutboxState("me", 2, (KeptMessage(2, "sent"),), 2, Position("epoch-1", 1))
    async with living(make(server, recorder, outbox=state)) as client:
        server.faults.withheld_events = {2}
        server.faults.lost_acks = 1
        client.start()
        assert await client.wait_until_saved(10)
        assert server.texts() == ["before", "sent"]


async def test_what_may_have_been_in_a_log_that_forgot_goes_back_to_its_author(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.forgets_before = 6  # the log no longer reaches back to where it was sent
    for number in range(8):
        await server.say(f"other {number}")
    state = OutboxState("me", 12, (KeptMessage(12, "sent long ago"),), 12, Position("epoch-1", 3))
    async with living(make(server, recorder, outbox=state)) as client:
        client.send_chat("new")
        client.start()
        assert await client.wait_until_saved(5)
        assert recorder.doubtful == [(12, "sent long ago")]
        assert server.texts()[8:] == ["new"]


async def test_what_cannot_have_been_in_a_log_that_forgot_is_sent(
    server: ScriptedServer, recorder: Recorder
) -> None:
    server.history_limit = 2
    for number in range(8):
        await server.say(f"other {number}")
    state = OutboxState("me", 12, (KeptMessage(12, "unanswered"),), 12, Position("epoch-1", 3))
    async with living(make(server, recorder, outbox=state)) as client:
        client.start()
        assert await client.wait_until_saved(5)
        assert recorder.doubtful == []
        assert server.texts()[8:] == ["unanswered"]
        asked = [restore["position"] for restore in server.peers[0].restores]
        assert asked == [None, {"epoch": "epoch-1", "seq": 3}]


async def go_on_elsewhere(server: ScriptedServer, *, history: int) -> None:
    """Go on under another epoch, with eight messages of another client and none of ours."""
    server.epoch, server.history_limit = "epoch-2", history
    server.log.clear()
    server.last_n.clear()
    for number in range(8):
        await server.say(f"other {number}")


@pytest.mark.parametrize(("history", "again"), [(7, []), (8, ["one", "two"])])
async def test_what_another_epoch_acknowledged_is_sent_only_to_a_log_that_shows_all(
    server: ScriptedServer, recorder: Recorder, history: int, again: list[str]
) -> None:
    async with living(make(server, recorder)) as client:
        client.start()
        client.send_chat("one")
        client.send_chat("two")
        assert await client.wait_until_saved(5)
        server.die()
        await go_on_elsewhere(server, history=history)
        await server.until(lambda: len(server.peers) > 1 and server.peers[-1].restores)
        client.send_chat("new")
        await server.until(lambda: "new" in server.texts())
        assert server.texts()[8:] == [*again, "new"]
        assert recorder.doubtful == []


@pytest.mark.parametrize(
    ("history", "sent", "given_back"),
    [(7, [], [(2, "unanswered")]), (8, ["unanswered"], [])],
)
async def test_what_may_have_been_sent_in_another_epoch_is_sent_only_to_a_log_that_shows_all(
    server: ScriptedServer,
    recorder: Recorder,
    history: int,
    sent: list[str],
    given_back: list[tuple[int, str]],
) -> None:
    await go_on_elsewhere(server, history=history)
    state = OutboxState("me", 2, (KeptMessage(2, "unanswered"),), 2, Position("epoch-1", 5))
    async with living(make(server, recorder, outbox=state)) as client:
        client.send_chat("new")
        client.start()
        assert await client.wait_until_saved(5)
        assert server.texts()[8:] == [*sent, "new"]
        assert recorder.doubtful == given_back
