"""Pages of older messages, and messages that a restore brings late."""

import asyncio

import msgspec
import pytest

from isshoni.client import InvalidExtras, OlderMessages, SessionClient, SessionLeft
from isshoni.client.history_requests import HistoryRequests
from isshoni.session.messages import History, HistoryPage
from tests.integration.client.recorder import QUICK, Recorder
from tests.integration.client.scripted_server import ScriptedServer


def seqs(page: OlderMessages) -> list[int]:
    return [event.seq for event in page.messages]


async def test_older_messages_come_in_pages_in_the_order_asked(
    server: ScriptedServer, client: SessionClient
) -> None:
    for number in range(1, 11):
        await server.say(f"m{number}")
    pages = await asyncio.gather(client.chat.history(11, 4), client.chat.history(7, 10))
    assert [(seqs(page), page.more) for page in pages] == [
        ([7, 8, 9, 10], True),
        ([1, 2, 3, 4, 5, 6], False),
    ]
    assert seqs(await client.chat.history(1)) == []


@pytest.mark.parametrize("fault", ["pages_not_ready", "lost_pages"])
async def test_a_question_is_asked_again_after_a_loss_or_a_refusal(
    server: ScriptedServer, client: SessionClient, fault: str
) -> None:
    await server.say("hello")
    setattr(server.faults, fault, 2)
    async with asyncio.timeout(30):
        assert seqs(await client.chat.history(2)) == [1]


async def test_a_question_that_no_server_answers_is_refused_or_ends_with_the_client() -> None:
    client = SessionClient("ws://127.0.0.1:1", "team", settings=QUICK)
    for before, limit in ((0, 10), (5, 0), (5, 201)):
        with pytest.raises(InvalidExtras):
            await client.chat.history(before, limit)
    asked = asyncio.ensure_future(client.chat.history(5))
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(SessionLeft):
        await asked


async def test_a_page_that_came_twice_answers_no_other_question() -> None:
    sent: list[History] = []
    requests = HistoryRequests(sent.append)
    first = asyncio.ensure_future(requests.ask(100, 10))
    second = asyncio.ensure_future(requests.ask(50, 10))
    await asyncio.sleep(0)
    event = b'{"type":"chat","seq":%d,"client_id":"a","n":1,"text":"x","at":0}'
    requests.ask_again()
    for seq in (99, 99, 49):
        requests.answer(HistoryPage([msgspec.Raw(event % seq)], more=True))
    assert (seqs(await first), seqs(await second)) == ([99], [49])
    assert [question.before for question in sent] == [100, 100, 50]


async def test_the_last_event_is_fetched_though_the_answer_to_a_restore_was_made_before_it(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    server.faults.withheld_events, server.faults.behind = {1}, 1
    await server.say("a")
    await server.say("b")
    await recorder.until(lambda: recorder.texts == ["a", "b"])
    assert len(server.peers[0].restores) == 3
