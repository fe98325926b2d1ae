"""Redis fails over to a replica that lacks acknowledged messages; the clients live."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isshoni.client.client import SessionClient
from isshoni.client.listener import ClientListener
from isshoni.session.from_server import ChatEvent
from tests.support.backend import BackendProcess, RawClient
from tests.support.failover import RedisPair
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[RedisPair]:
    async with RedisPair(tmp_path) as pair:
        yield pair


class Witness(ClientListener):
    """What one client was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.acknowledged: list[int] = []
        self.restarts = 0

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.texts.append(event.text)

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        self.acknowledged.append(n)

    def on_log_restarted(self, at: float) -> None:
        self.restarts += 1
        self.texts.clear()


async def say(client: SessionClient, name: str, numbers: range) -> None:
    for number in numbers:
        client.send_chat(f"{name} {number}")
    assert await client.wait_until_saved(15)


async def read_log(backend: BackendProcess, session_id: str) -> list[dict[str, Any]]:
    """Give all that a newcomer is told."""
    watcher = await backend.connect(session_id)
    while True:
        await watcher.send(type="restore_session", session_id=session_id)
        answer = await watcher.read("session_restored", "error")
        if answer["type"] == "session_restored":
            await watcher.close()
            history: list[dict[str, Any]] = answer["chat_history"]
            return history
        await asyncio.sleep(0.05)


async def see_canvas(backend: BackendProcess, session_id: str, expected: set[str]) -> None:
    """Wait until a newcomer is told these elements: processes put theirs back in turn."""
    newcomer = await backend.connect(session_id)
    for _ in range(200):
        seen = set((await newcomer.restore())["canvas_state"])
        if seen == expected:
            break
        await asyncio.sleep(0.05)
    assert seen == expected
    await newcomer.close()


@dataclass(frozen=True)
class TwoPeople:
    """Ann on blue and Bob on green, in one session, and what each was told."""

    blue: BackendProcess
    green: BackendProcess
    ann: SessionClient
    bob: SessionClient
    seen: dict[str, Witness]

    async def hear(self, count: int) -> None:
        """Wait until both were told so many messages."""
        seen = self.seen.values()
        await wait_until(lambda: all(len(w.texts) == count for w in seen), f"both heard {count}")

    def count(self, counter: str) -> int:
        """Add a counter of both processes up."""
        return sum(process.status()["counters"][counter] for process in (self.blue, self.green))


@asynccontextmanager
async def two_people(url: str, tmp_path: Path, session_id: str) -> AsyncIterator[TwoPeople]:
    """Give two who have said 20 things each, on two processes."""
    seen = {"ann": Witness(), "bob": Witness()}
    with (
        BackendProcess(url, tmp_path / "blue") as blue,
        BackendProcess(url, tmp_path / "green", "green") as green,
    ):
        blue.wait_until_ready()
        green.wait_until_ready()
        async with (
            client_of(blue, session_id, seen["ann"]) as ann,
            client_of(green, session_id, seen["bob"]) as bob,
        ):
            await asyncio.gather(say(ann, "ann", range(20)), say(bob, "bob", range(20)))
            yield TwoPeople(blue, green, ann, bob, seen)


@pytest.mark.spec("A4")
async def test_processes_and_clients_that_live_lose_nothing_to_a_lagging_replica(
    pair: RedisPair, tmp_path: Path, session_id: str
) -> None:
    async with two_people(pair.url, tmp_path, session_id) as two:
        ann, bob, seen = two.ann, two.bob, two.seen
        ann.draw("kept", {"x": 1})
        assert await ann.wait_until_saved(10)
        await pair.lag()
        await asyncio.gather(say(ann, "ann", range(20, 60)), say(bob, "bob", range(20, 60)))
        ann.draw("lost", {"x": 2})
        ann.erase("kept")
        assert await ann.wait_until_saved(10)
        await two.hear(120)
        before = list(seen["ann"].texts)
        await pair.fail_over()
        await asyncio.gather(say(ann, "ann", range(60, 70)), say(bob, "bob", range(60, 70)))
        await two.hear(140)
        log = await read_log(two.blue, session_id)
        texts = [event["text"] for event in log]
        assert texts[:120] == before
        assert texts == seen["ann"].texts == seen["bob"].texts
        assert [event["seq"] for event in log] == list(range(1, 141))
        assert seen["ann"].restarts == seen["bob"].restarts == 0
        assert all(w.acknowledged == list(range(1, 71)) for w in seen.values())
        await see_canvas(two.green, session_id, {"lost"})
        assert two.count("messages_put_back") >= 80
        assert two.count("logs_lost") == 0


@pytest.mark.spec("A4")
async def test_one_client_hands_back_what_redis_and_every_process_lost(
    pair: RedisPair, tmp_path: Path, session_id: str
) -> None:
    witness = Witness()
    with BackendProcess(pair.url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        async with client_of(backend, session_id, witness) as ann:
            gone = await backend.join(session_id, client_id="gone")
            await say(ann, "ann", range(5))
            await pair.lag()
            for n in range(1, 11):
                await gone.chat(n, f"gone {n}")
                await gone.read("ack")
            await say(ann, "ann", range(5, 15))
            await wait_until(lambda: len(witness.texts) == 25, "all was heard")
            before = list(witness.texts)
            await gone.close()
            backend.process.kill()
            backend.process.wait()
            await pair.fail_over()
            await asyncio.to_thread(backend.start)
            await say(ann, "ann", range(15, 20))
            log = await read_log(backend, session_id)
        assert [event["text"] for event in log] == before + [f"ann {n}" for n in range(15, 20)]
        assert [event["seq"] for event in log] == list(range(1, 31))
        back = await backend.connect(session_id)
        assert (await back.restore(client_id="gone"))["last_n"] == 10
        await back.close()


@pytest.mark.spec("A4", "A7")
async def test_a_lying_client_neither_inserts_nor_reorders(
    pair: RedisPair, tmp_path: Path, session_id: str
) -> None:
    with BackendProcess(pair.url, tmp_path / "log", ISSHONI_RECOVERY_SECONDS="3") as backend:
        backend.wait_until_ready()
        ann = await backend.join(session_id, client_id="ann")
        epoch = (await ann.restore(client_id="ann"))["position"]["epoch"]
        await pair.lag()
        events = await chat_and_hear(ann, range(1, 7))
        await stop_everything(backend, pair)

        liar = await backend.connect(session_id)
        beyond = {"epoch": epoch, "seq": 10**9}
        answer = await ask(liar, position=beyond, can=["replica"], held=None)
        assert (answer["type"], answer["mode"]) == ("session_restored", "full")
        claim = {"epoch": epoch, "seq": 6}
        forged = [event | {"text": "forged"} for event in events]
        answer = await ask(liar, position=claim, can=["replica"], held=forged[5])
        assert (answer["type"], answer["mode"]) == ("session_restored", "full")
        answer = await ask(liar, position=claim, can=["replica"], held=events[5])
        assert (answer["type"], answer["after"]) == ("recall", 0)
        assert (await liar.read("error"))["code"] == "not_ready"
        moved = [event | {"seq": 7 - event["seq"]} for event in events]
        lies: list[list[Any]] = [forged, moved, [{}], ["chat"], [None]]
        for lie in lies:
            await liar.send(type="recalled", epoch=epoch, events=lie)
            assert (await liar.read("error"))["code"] == "bad_message"
        await liar.send(type="recalled", epoch="another", events=forged)
        await liar.send(type="recalled", epoch=epoch, events=[*reversed(events), events[2]])
        await wait_until(lambda: backend.status()["counters"]["logs_recovered"], "it is whole")
        assert await read_log(backend, session_id) == events
        await liar.close()


@pytest.mark.spec("A4")
async def test_what_nobody_holds_ends_in_a_new_epoch_and_the_rest_is_in_it(
    pair: RedisPair, tmp_path: Path, session_id: str
) -> None:
    witness = Witness()
    with BackendProcess(pair.url, tmp_path / "log", ISSHONI_RECOVERY_SECONDS="0.5") as backend:
        backend.wait_until_ready()
        deaf = await backend.join(session_id, client_id="deaf")
        before = (await deaf.restore(client_id="deaf"))["position"]["epoch"]
        async with client_of(backend, session_id, witness) as ann:
            await say(ann, "ann", range(3))
            await pair.lag()
            await say(ann, "ann", range(3, 6))
            events = await chat_and_hear(deaf, range(1, 3))
            await wait_until(lambda: len(witness.texts) == 8, "all was heard")
            # As a tail that was too short: the client cannot give 4 to 6 back.
            forget_tail(ann, before_seq=7)
            await stop_everything(backend, pair)
            await say(ann, "ann", range(6, 8))
            log = await read_log(backend, session_id)
        position = (await (await backend.connect(session_id)).restore())["position"]
        assert position["epoch"] != before
        assert witness.restarts == 1
        texts = [event["text"] for event in log]
        assert witness.texts == texts
        own = [text for text in texts if text.startswith("ann")]
        assert own == [f"ann {n}" for n in range(8)], "its own, each once, in order"
        # Heard beyond the hole: held by her, and so not lost.
        assert [text for text in texts if text not in own] == [event["text"] for event in events]
        assert witness.acknowledged == list(range(1, 9))


@pytest.mark.spec("A4")
@pytest.mark.parametrize("first", ["message", "edit"])
async def test_a_redis_emptied_under_live_people_is_filled_again_by_them(
    valkey: ValkeyServer, tmp_path: Path, session_id: str, first: str
) -> None:
    async with two_people(valkey.url, tmp_path, session_id) as two:
        ann, bob, seen = two.ann, two.bob, two.seen
        ann.draw("old", {"x": 1})
        assert await ann.wait_until_saved(10)
        await two.hear(40)
        before = list(seen["ann"].texts)
        valkey.command("FLUSHALL")
        if first == "edit":
            bob.draw("new", {"x": 2})
            await asyncio.sleep(0.02)
        else:
            bob.send_chat("bob 20")
            bob.draw("new", {"x": 2})
        ann.send_chat("ann 20")
        await asyncio.gather(say(ann, "ann", range(21, 30)), say(bob, "bob", range(21, 30)))
        count = 40 + 19 + (first == "message")
        await two.hear(count)
        log = await read_log(two.blue, session_id)
        texts = [event["text"] for event in log]
        assert texts[:40] == before
        assert texts == seen["ann"].texts == seen["bob"].texts
        assert [event["seq"] for event in log] == list(range(1, count + 1))
        assert seen["ann"].restarts == seen["bob"].restarts == 0
        await see_canvas(two.green, session_id, {"old", "new"})
        assert two.count("logs_lost") == 0


def client_of(backend: BackendProcess, session_id: str, witness: Witness) -> SessionClient:
    return SessionClient(f"ws://127.0.0.1:{backend.port}", session_id, listener=witness)


def forget_tail(client: SessionClient, *, before_seq: int) -> None:
    events = client._tail._events
    while events and events[0][0] < before_seq:
        events.popleft()


async def chat_and_hear(client: RawClient, numbers: range) -> list[dict[str, Any]]:
    """Send messages; gives them as events."""
    for n in numbers:
        await client.chat(n, f"message {n}")
    events: list[dict[str, Any]] = []
    while len(events) < len(numbers):
        event = await client.read("chat")
        if event["text"].startswith("message"):
            events.append(event)
    return events


async def ask(client: RawClient, **fields: Any) -> dict[str, Any]:
    compact = {"type": "restore_session", "session_id": client.session_id, **fields}
    await client.connection.send(json.dumps(compact, separators=(",", ":")))
    return await client.read("session_restored", "recall")


async def stop_everything(backend: BackendProcess, pair: RedisPair) -> None:
    """kill -9 the process and the primary; both come back, one with less than it had."""
    backend.process.kill()
    backend.process.wait()
    await pair.fail_over()
    await asyncio.to_thread(backend.start)
    await asyncio.to_thread(backend.wait_until_ready)
