"""What others publish on the channel of a session, and what of it is believed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Map

from isshoni.backend.store.redis.channels import ChannelNames
from isshoni.backend.store.redis.keys import session_keys
from isshoni.client import SessionClient
from isshoni.session.server.yjs_update import Announcement, encode_awareness_states
from tests.integration.backend.test_failover import Witness, client_of, read_log, say
from tests.integration.backend.test_redis_databases import open_store
from tests.support.backend import TICKET_SECRET, BackendProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

NONSENSE = [
    b"",
    b":",
    b"c",
    b"cx:{}",
    b"c-1:{}",
    b"z7:{}",
    b"c99999999999999999999999:{}",
    b"y",
    b"a0:",
    b"a0:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"c1:of a seq that was heard",
    b"y1:of a seq that was heard",
    b"\x00\xff" * 2000,
]


@pytest.fixture
def other_deployment(valkey: ValkeyServer, tmp_path: Path) -> Iterator[BackendProcess]:
    """A process of another deployment, with its own secret, on the same database."""
    secret = {"ISSHONI_TICKET_SECRET": "of-another-deployment-" * 2}
    with BackendProcess(valkey.url, tmp_path / "other", program=None, **secret) as process:
        process.wait_until_ready()
        yield process


@pytest.mark.spec("A7")
@pytest.mark.parametrize("database", [0, 1])
async def test_what_a_stranger_publishes_at_the_next_number_is_never_believed(
    valkey: ValkeyServer, tmp_path: Path, session_id: str, database: int
) -> None:
    """Well-formed, on the channel that can be guessed: a message, an edit, a deletion, a cursor."""
    store = await open_store(valkey, database)
    channel = ChannelNames("", database).open_name(session_id)
    url = f"redis://127.0.0.1:{valkey.port}/{database}"
    with BackendProcess(url, tmp_path / "backend") as backend:
        backend.wait_until_ready()
        saw = [Witness(), Witness()]
        async with (
            client_of(backend, session_id, saw[0]) as ann,
            client_of(backend, session_id, saw[1]) as bob,
        ):
            for client in (ann, bob):
                assert await client.wait_until_restored(10)
            for client, name in ((ann, "a"), (bob, "b")):
                client.draw(name, {"x": 1})
                assert await client.wait_until_saved(20)
            for publication in _forge_publications():
                await store._nodes.execute(0, b"SPUBLISH", channel, publication)
            await say(ann, "ann", range(3))
            await say(bob, "bob", range(3))
            await wait_until(lambda: len(saw[0].texts) == len(saw[1].texts) == 6, "six messages")
            assert "forged" not in " ".join(saw[0].texts + saw[1].texts)
            bob.draw("c", {"x": 2})
            await wait_until(lambda: set(ann.elements) == {"a", "b", "c"}, "the edits")
            assert saw[0].restarts == saw[1].restarts == 0
        log = [event["text"] for event in await read_log(backend, session_id)]
        assert log == saw[0].texts
        async with SessionClient(backend.url.replace("http", "ws"), session_id) as late:
            await wait_until(lambda: set(late.elements) == {"a", "b", "c"}, "the canvas")
        counters = backend.status()["counters"]
        for name in ("logs_recovered", "logs_forked", "messages_put_back", "canvas_poison"):
            assert counters[name] == 0, name
    await store.aclose()


def _forge_publications() -> list[bytes]:
    envelope = b'{"client_id":"ann","n":1,"text":"forged","at":1763850000123,"v":1}'
    document: Doc[Any] = Doc()
    elements = document.get("elements", type=Map)
    elements["forged"] = Map({"id": "forged", "x": 1})
    chat = [b"c%d:%b" % (seq, envelope) for seq in (1, 2, 3, 9)]
    canvas = [b"y%d:%b" % (seq, document.get_update()) for seq in (1, 2, 3, 4, 9)]
    awareness = b"a0:" + encode_awareness_states([Announcement(77, 1, b'{"user":"forged"}')])
    return [*chat, *canvas, awareness, b"d0:", b"e0:0123456789abcdef"]


@pytest.mark.spec("A7")
async def test_nonsense_on_a_session_channel_is_dropped_and_the_session_goes_on(
    backend: BackendProcess, valkey: ValkeyServer, session_id: str
) -> None:
    ann = await backend.join(session_id, client_id="ann")
    await ann.chat(1, "before")
    heard = [await ann.read("chat")]
    store = await open_store(valkey, 0, TICKET_SECRET)
    for channel in (session_keys(session_id).channel, store._channels.name(session_id)):
        for message in NONSENSE:
            await store._nodes.execute(0, b"SPUBLISH", channel, message)
    await store.aclose()
    await ann.chat(2, "after")
    heard.append(await ann.read("chat"))
    assert [event["text"] for event in heard] == ["before", "after"]
    log = await read_log(backend, session_id)
    assert [event["text"] for event in log] == ["before", "after"]
    assert (await ann.restore(client_id="ann"))["last_n"] == 2
    await ann.close()


@pytest.mark.spec("A7")
async def test_a_publication_that_breaks_yjs_does_not_hide_the_edit_at_its_seq(
    backend: BackendProcess, valkey: ValkeyServer, session_id: str
) -> None:
    url = backend.url.replace("http", "ws")
    store = await open_store(valkey, 0, TICKET_SECRET)
    async with SessionClient(url, session_id) as ann, SessionClient(url, session_id) as bob:
        for client in (ann, bob):
            assert await client.wait_until_restored(10)
        channel = store._channels.name(session_id)
        await store._nodes.execute(0, b"SPUBLISH", channel, b"y1:no update at all")
        ann.draw("e", {"x": 1})
        assert await ann.wait_until_saved(20)
        await wait_until(lambda: "e" in bob.elements, "the edit")
        async with SessionClient(url, session_id) as late:
            await wait_until(lambda: "e" in late.elements, "the edit, for a newcomer")
    await store.aclose()


@pytest.mark.spec("A7")
async def test_an_event_of_another_deployment_is_not_taken_as_a_copy(
    backend: BackendProcess, other_deployment: BackendProcess, session_id: str
) -> None:
    """Two deployments on one database share its sessions, but not their secrets."""
    ann = await backend.join(session_id, client_id="ann")
    bob = await other_deployment.join(session_id, client_id="bob")
    await ann.chat(1, "hello")
    event, foreign = await ann.read("chat"), await bob.read("chat")
    assert {**foreign, "mac": event["mac"]} == event
    assert foreign["mac"] != event["mac"]
    restored = await ann.restore(client_id="ann")
    epoch = restored["position"]["epoch"]
    carl = await backend.connect(session_id)
    request: dict[str, Any] = {"type": "restore_session", "session_id": session_id}
    position = {"epoch": epoch, "seq": 9}
    held = {**foreign, "seq": 9}
    await carl.send(**request, can=["replica"], position=position, held=held)
    assert (await carl.read("recall", "session_restored"))["type"] == "session_restored"
    assert backend.status()["counters"]["logs_recovered"] == 0
    for client in (ann, bob, carl):
        await client.close()
