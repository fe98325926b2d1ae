"""Logs that are longer than their counters say: the counter is set to the end of the log."""

import asyncio
from typing import Any

import pycrdt
import pytest

from isshoni.backend.store.redis.keys import session_keys
from isshoni.session.server.yjs_update import EMPTY_UPDATE
from isshoni.session.sync import make_update
from tests.support.backend import BackendProcess
from tests.support.redis_links import open_link
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


def set_counter(valkey: ValkeyServer, session_id: str, field: str, value: int) -> None:
    """Set where a session's meta says that a log ends."""
    meta = session_keys(session_id).meta.decode()
    assert valkey.command("HSET", meta, field, str(value)).startswith(b":")


def forget_client(valkey: ValkeyServer, session_id: str, client_id: str, n: int) -> None:
    """Set the greatest n of a client that is known beside the log."""
    clients = session_keys(session_id).chat_clients.decode()
    assert valkey.command("HSET", clients, client_id, str(n)).startswith(b":")


async def say(client: Any, *numbers: int) -> list[int]:
    """Send messages again until each is acknowledged; return the seqs."""
    seqs = []
    for n in numbers:
        async with asyncio.timeout(15):
            while True:
                await client.chat(n, f"message {n}")
                answer = await client.read("ack", "error")
                if answer["type"] == "ack":
                    seqs.append(answer["seq"])
                    break
                await asyncio.sleep(0.1)
    return seqs


async def restored_texts(backend: BackendProcess, session_id: str) -> list[str]:
    late = await backend.connect(session_id)
    history = (await late.restore())["chat_history"]
    await late.close()
    return [event["text"] for event in history]


@pytest.mark.spec("A4")
@pytest.mark.parametrize("follows", [True, False])
async def test_a_chat_counter_behind_its_log_is_mended_once(
    backend: BackendProcess, valkey: ValkeyServer, session_id: str, follows: bool
) -> None:
    client = await backend.join(session_id, client_id="ann")
    assert await say(client, 1, 2, 3) == [1, 2, 3]
    if not follows:  # the session is loaded again, from the log as it is now
        await client.close()
        await wait_until(lambda: backend.status()["connections"] == 0, "it is gone")
    set_counter(valkey, session_id, "chat_seq", 1)
    if not follows:
        client = await backend.join(session_id, client_id="ann")
    assert await say(client, 4, 5) == [4, 5]
    await asyncio.sleep(1)  # rounds that begin at once would be hundreds
    assert backend.log.count(f"event=log_behind session={session_id}") <= 2
    texts = [f"message {n}" for n in (1, 2, 3, 4, 5)]
    assert await restored_texts(backend, session_id) == texts
    await client.close()


@pytest.mark.spec("A4")
async def test_a_mended_log_knows_its_authors_and_takes_nothing_twice(
    backend: BackendProcess, valkey: ValkeyServer, session_id: str
) -> None:
    """As if a script had ended between the entry and what it writes beside the log."""
    client = await backend.join(session_id, client_id="ann")
    assert await say(client, 1, 2, 3) == [1, 2, 3]
    await client.close()
    set_counter(valkey, session_id, "chat_seq", 2)
    forget_client(valkey, session_id, "ann", 2)
    client = await backend.join(session_id, client_id="ann")
    await say(client, 3, 4)
    texts = [f"message {n}" for n in (1, 2, 3, 4)]
    assert await restored_texts(backend, session_id) == texts
    await client.close()


@pytest.mark.spec("A4")
async def test_a_process_that_does_not_know_the_end_of_the_log_mends_it_too(
    backend: BackendProcess, valkey: ValkeyServer, session_id: str
) -> None:
    """An entry beyond the counter was never published: the next append meets it."""
    client = await backend.join(session_id, client_id="ann")
    assert await say(client, 1, 2) == [1, 2]
    keys = session_keys(session_id)
    async with open_link(valkey.url) as link:
        ((_, read),) = await link.execute(b"XRANGE", keys.chat_log, b"2-0", b"2-0")
        unheard = read[1].replace(b"message 2", b"unheard")
        await link.execute(b"XADD", keys.chat_log, b"3-0", b"e", unheard)
    assert await say(client, 3) == [4]
    texts = ["message 1", "message 2", "unheard", "message 3"]
    assert await restored_texts(backend, session_id) == texts
    await client.close()


@pytest.mark.spec("A4")
@pytest.mark.parametrize("unheard", [0, 1])
async def test_a_canvas_counter_behind_its_log_takes_edits(
    backend: BackendProcess, valkey: ValkeyServer, session_id: str, unheard: int
) -> None:
    client = await backend.join(session_id, client_id="ann", can=["saved"])
    keys = session_keys(session_id)
    document: pycrdt.Doc[Any] = pycrdt.Doc()
    document["text"] = text = pycrdt.Text()
    updates: list[bytes] = []
    document.observe(lambda event: updates.append(event.update))

    def last_seq() -> int:
        reply = valkey.command("XREVRANGE", keys.canvas_log.decode(), "+", "-", "COUNT", "1")
        found = [part for part in reply.split(b"\r\n") if part.endswith(b"-0")]
        return int(found[0][:-2]) if found else 0

    async def edit(number: int) -> None:
        text.insert(0, f"{number} ")
        before = last_seq()
        await client.connection.send(make_update(updates[-1]))
        await wait_until(lambda: last_seq() > before, f"edit {number} is saved")

    await edit(1)
    await edit(2)
    if unheard:
        async with open_link(valkey.url) as link:
            await link.execute(b"XADD", keys.canvas_log, b"3-0", b"u", EMPTY_UPDATE)
    else:
        set_counter(valkey, session_id, "canvas_seq", 1)
    await edit(3)
    meta = keys.meta.decode()
    assert int(valkey.command("HGET", meta, "canvas_seq").split(b"\r\n")[1]) == last_seq()
    await client.close()
