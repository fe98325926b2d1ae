"""What chat messages carry, through a real process and a real Redis."""

from typing import Any

import pytest

from tests.support.backend import BackendProcess

FEATURES = ["reply", "react", "edit", "delete", "files"]
ABOUT = {"kind": "react", "client_id": "bob", "n": 3, "by": "u"}
FILES = [{"id": "f1", "name": "plan 한글.pdf", "type": "application/pdf", "bytes": 9}]


def carried(event: dict[str, Any]) -> tuple[Any, Any]:
    return event.get("about"), event.get("files")


@pytest.mark.spec("A4")
async def test_what_messages_carry_reaches_every_reader(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    ann = await backend.connect(session_id)
    assert (await ann.restore(client_id="ann"))["features"] == FEATURES
    bob = await green.join(session_id, client_id="bob")
    await ann.send(type="chat", n=1, text="👍", about={**ABOUT, "later": 1})
    await ann.send(type="chat", n=2, text="plan", files=FILES)
    await ann.send(type="chat", n=3, text="plain", about=None, files=[])
    expected = [(ABOUT, None), (None, FILES), (None, None)]
    live = [await bob.read("chat") for _ in range(3)]
    assert [carried(event) for event in live] == expected
    assert live[2].keys() == {"type", "seq", "mac", "client_id", "n", "text", "at", "v"}
    await bob.send(type="history", before=4)
    assert (await bob.read("history"))["chat_history"] == live
    newcomer = await backend.connect(session_id)
    position = {"epoch": (await newcomer.restore())["position"]["epoch"], "seq": 1}
    replayed = await newcomer.restore(position=position, held=live[0])
    assert (replayed["mode"], replayed["chat_history"]) == ("replay", live[1:])
    for client in (ann, bob, newcomer):
        await client.close()


async def test_a_wrong_extra_is_refused_by_its_number_and_the_next_message_is_taken(
    backend: BackendProcess, session_id: str
) -> None:
    ann = await backend.join(session_id, client_id="ann")
    await ann.send(type="chat", n=1, text="x", about={**ABOUT, "n": 0})
    error = await ann.read("error")
    assert (error["code"], error["n"]) == ("bad_message", 1)
    assert "about.n" in error["message"]
    await ann.chat(1, "fine")
    assert await ann.read("ack") == {"type": "ack", "n": 1, "seq": 1}
    await ann.close()
