"""Replies, reactions, edits, deletions and files on their way through the client."""

import asyncio

import msgspec
import pytest

from isshoni.client import (
    About,
    ChatFile,
    Conversation,
    InvalidExtras,
    InvalidText,
    OutboxState,
    SessionClient,
)
from isshoni.session.chat_content import CHAT_FEATURES
from tests.integration.client.recorder import QUICK, Recorder
from tests.integration.client.scripted_server import ScriptedServer

PLAN = ChatFile("f1", "plan.pdf", "application/pdf", 9)


async def test_a_message_is_edited_answered_reacted_to_and_deleted(server: ScriptedServer) -> None:
    server.features = list(CHAT_FEATURES)
    recorder, conversation = Recorder(), Conversation()
    async with SessionClient(server.url, "team", client_id="me", listener=recorder) as client:
        assert await client.wait_until_restored(30)
        assert client.chat.features == CHAT_FEATURES
        client.chat.send("hello", files=[PLAN])
        await recorder.until(lambda: recorder.chats, 30)
        hello = recorder.chats[0]
        client.chat.reply(hello, "hi")
        client.chat.react(hello, "👍")
        client.chat.react(hello, "🎉")
        client.chat.unreact(hello, "🎉")
        client.chat.edit(hello, "hallo")
        assert await client.wait_until_saved(30)
        await recorder.until(lambda: len(recorder.chats) == 6, 30)
        conversation.add(recorder.chats)
        first, second = conversation.messages
        assert (first.text, first.edited, first.files) == ("hallo", True, (PLAN,))
        assert [*first.reactions] == ["👍"]
        assert second.reply_to == About("reply", "me", 1)
        client.chat.delete(hello)
        await recorder.until(lambda: len(recorder.chats) == 7, 30)
        conversation.add(recorder.chats)
        assert (conversation.messages[0].text, conversation.messages[0].deleted) == ("", True)


async def test_an_older_server_gets_readable_text_once_and_nothing_waits(
    server: ScriptedServer, client: SessionClient, recorder: Recorder
) -> None:
    target = About("reply", "ann", 1)
    assert client.chat.features == ()
    client.chat.edit(target, "better")
    client.chat.react(target, "👍")
    client.chat.send("plan.pdf", files=[PLAN])
    server.faults.lost_acks = 1
    client.send_chat("after")
    assert await client.wait_until_saved(30)
    await recorder.until(lambda: len(recorder.chats) == 4, 30)
    assert server.texts() == ["better", "👍", "plan.pdf", "after"]
    assert recorder.numbered == []


async def test_what_was_done_offline_survives_a_restart(server: ScriptedServer) -> None:
    server.features = list(CHAT_FEATURES)
    first = SessionClient(server.url, "team", client_id="me", settings=QUICK)
    first.chat.react(About("reply", "ann", 1, "ann"), "👍")
    first.chat.send("plan.pdf", files=[PLAN])
    stored = msgspec.json.encode(first.outbox_state)
    await first.aclose()
    state = msgspec.json.decode(stored, type=OutboxState)
    async with SessionClient(server.url, "team", outbox=state, settings=QUICK) as second:
        assert await second.wait_until_saved(30)
        await asyncio.sleep(0)
    about = {"kind": "react", "client_id": "ann", "n": 1, "by": "ann"}
    assert [event.get("about") for event in server.log] == [about, None]
    assert server.log[1]["files"] == [msgspec.to_builtins(PLAN)]


async def test_an_outbox_of_an_older_version_is_loaded() -> None:
    stored = b'{"client_id":"me","last_n":2,"pending":[{"n":1,"text":"a"},{"n":2,"text":"b"}]}'
    state = msgspec.json.decode(stored, type=OutboxState)
    client = SessionClient("ws://127.0.0.1:1", "team", outbox=state)
    assert msgspec.json.encode(client.outbox_state) == stored
    await client.aclose()


async def test_what_no_server_takes_is_refused_and_uses_no_number(client: SessionClient) -> None:
    ann = About("reply", "ann", 1)
    wrong: list[tuple[str, About | None, list[ChatFile]]] = [
        ("x" * 33, About("react", "ann", 1), []),
        ("hi", About("reply", "a b", 1), []),
        ("x", About("edit", "ann", 0), []),
        ("x", About("Ä", "ann", 1), []),
        ("x", None, [PLAN] * 9),
        ("x", None, [ChatFile("../x", "n")]),
        ("x", None, [ChatFile("x", "n" * 256)]),
    ]
    for text, about, files in wrong:
        with pytest.raises(InvalidExtras):
            client.chat.send(text, about=about, files=files)
    with pytest.raises(InvalidText):
        client.chat.edit(ann, "")
    assert client.chat.react(ann, "👨‍👩‍👧‍👦") == 1
