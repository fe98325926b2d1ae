"""Redis fails over to a lagging replica that others continue before the survivors check in."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from websockets.exceptions import ConnectionClosed

from tests.integration.backend.test_failover import (
    TwoPeople,
    Witness,
    chat_and_hear,
    client_of,
    read_log,
    say,
    see_canvas,
    stop_everything,
)
from tests.support.backend import BackendProcess
from tests.support.failover import RedisPair
from tests.support.waiting import wait_until

KEY = Fernet.generate_key().decode()


@contextmanager
def frozen(backend: BackendProcess) -> Iterator[None]:
    """Stop a process as a paused machine does; what comes meanwhile waits in its sockets."""
    os.kill(backend.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend.process.pid, signal.SIGCONT)


@pytest.mark.spec("A4")
@pytest.mark.parametrize(
    ("continued", "key"),
    [(2, ""), (5, ""), (9, ""), pytest.param(5, KEY, id="5-sealed")],
)
async def test_a_log_continued_by_others_gets_back_what_was_acknowledged(
    tmp_path: Path, session_id: str, continued: int, key: str
) -> None:
    """The primary had 1 to 10, its replica 1 to 5; others write before a survivor sees that."""
    ann_saw, bob_saw = Witness(), Witness()
    async with RedisPair(tmp_path / "redis") as pair:
        with (
            BackendProcess(pair.url, tmp_path / "blue", SESSION_ENCRYPTION_KEY=key) as blue,
            BackendProcess(
                pair.url, tmp_path / "green", "green", SESSION_ENCRYPTION_KEY=key
            ) as green,
        ):
            blue.wait_until_ready()
            green.wait_until_ready()
            async with client_of(blue, session_id, ann_saw) as ann:
                await say(ann, "ann", range(5))
                ann.draw("old", {"x": 1})
                assert await ann.wait_until_saved(10)
                await pair.lag()
                await say(ann, "ann", range(5, 10))
                ann.draw("lost", {"x": 2})
                assert await ann.wait_until_saved(10)
                await wait_until(lambda: len(ann_saw.texts) == 10, "ann heard herself")
                with frozen(blue):
                    await pair.fail_over()
                    await asyncio.to_thread(green.wait_until_ready)
                    async with client_of(green, session_id, bob_saw) as bob:
                        await say(bob, "bob", range(continued))
                        for number in range(continued):
                            bob.draw(f"bob {number}", {"x": number})
                        assert await bob.wait_until_saved(10)
                        os.kill(blue.process.pid, signal.SIGCONT)
                        people = TwoPeople(blue, green, ann, bob, {"ann": ann_saw, "bob": bob_saw})
                        await people.hear(10 + continued)
                        await say(ann, "ann", range(10, 12))
                        await say(bob, "bob", range(continued, continued + 2))
                        await people.hear(14 + continued)
                        log = await read_log(blue, session_id)
                        elements = {"old", "lost", *(f"bob {n}" for n in range(continued))}
                        await see_canvas(blue, session_id, elements)
                        await see_canvas(green, session_id, elements)
                        forked, lost = people.count("logs_forked"), people.count("logs_lost")
    texts = [event["text"] for event in log]
    assert sorted(texts) == sorted(
        [f"ann {n}" for n in range(12)] + [f"bob {n}" for n in range(continued + 2)]
    )
    assert texts == ann_saw.texts == bob_saw.texts
    assert [t for t in texts if "ann" in t] == [f"ann {n}" for n in range(12)]
    assert [t for t in texts if "bob" in t] == [f"bob {n}" for n in range(continued + 2)]
    assert [event["seq"] for event in log] == list(range(1, 15 + continued))
    assert (forked, lost) == (1, 0)


@pytest.mark.spec("A4")
async def test_a_client_alone_brings_back_what_a_continued_log_lacks(
    tmp_path: Path, session_id: str
) -> None:
    """The only process that had the session is dead; its client meets a log that is longer."""
    ann_saw, bob_saw = Witness(), Witness()
    async with RedisPair(tmp_path / "redis") as pair:
        with BackendProcess(pair.url, tmp_path / "log") as backend:
            backend.wait_until_ready()
            async with client_of(backend, session_id, ann_saw) as ann:
                gone = await backend.join(session_id, client_id="gone")
                await say(ann, "ann", range(5))
                await pair.lag()
                for n in range(1, 4):
                    await gone.chat(n, f"gone {n}")
                    await gone.read("ack")
                await wait_until(lambda: len(ann_saw.texts) == 8, "ann heard all")
                await gone.close()
                backend.process.kill()
                backend.process.wait()
                await pair.fail_over()
                with BackendProcess(pair.url, tmp_path / "other", "green") as other:
                    other.wait_until_ready()
                    async with client_of(other, session_id, bob_saw) as bob:
                        await say(bob, "bob", range(6))
                        await asyncio.to_thread(backend.start)
                        await wait_until(lambda: len(ann_saw.texts) == 14, "ann heard all")
                        await wait_until(lambda: len(bob_saw.texts) == 14, "bob heard all")
                        await say(ann, "ann", range(5, 7))
                        log = await read_log(backend, session_id)
    texts = [event["text"] for event in log]
    expected = [f"ann {n}" for n in range(5)] + [f"bob {n}" for n in range(6)]
    assert texts == [*expected, "gone 1", "gone 2", "gone 3", "ann 5", "ann 6"]


async def hand_back(backend: BackendProcess, session_id: str, events: list[Any]) -> int:
    """Restore as a client that holds these events; return how often it was asked for them."""
    epoch, recalls = events[0]["epoch"], 0
    held = [{key: event[key] for key in event if key != "epoch"} for event in events]
    request: dict[str, Any] = {"type": "restore_session", "session_id": session_id}
    request |= {"can": ["replica"], "held": held[-1]}
    request["position"] = {"epoch": epoch, "seq": held[-1]["seq"]}

    def encode(frame: dict[str, Any]) -> str:
        return json.dumps(frame, separators=(",", ":"))  # an event as the bytes that came

    while True:
        client = await backend.connect(session_id)
        try:
            await client.connection.send(encode(request))
            while (answer := await client.read("session_restored", "recall", "error")) is not None:
                if answer["type"] == "session_restored":
                    await client.close()
                    return recalls
                if answer["type"] == "recall":
                    recalls += 1
                    lacking = [event for event in held if event["seq"] > answer["after"]]
                    recalled = {"type": "recalled", "epoch": answer["epoch"], "events": lacking}
                    await client.connection.send(encode(recalled))
                else:
                    assert answer["code"] == "not_ready"
                    await asyncio.sleep(0.05)
                    await client.connection.send(encode(request))
        except ConnectionClosed:
            continue  # the log began again: come back, as a client does


@pytest.mark.spec("A4")
async def test_a_client_that_comes_after_the_merge_brings_what_only_it_holds(
    tmp_path: Path, session_id: str
) -> None:
    async with RedisPair(tmp_path / "redis") as pair:
        with BackendProcess(pair.url, tmp_path / "log") as backend:
            backend.wait_until_ready()
            ann = await backend.join(session_id, client_id="ann")
            epoch = (await ann.restore(client_id="ann"))["position"]["epoch"]
            events = await chat_and_hear(ann, range(1, 6))
            await pair.lag()
            events += await chat_and_hear(ann, range(6, 9))
            events = [{**event, "epoch": epoch} for event in events]
            await stop_everything(backend, pair)
            bob = await backend.join(session_id, client_id="bob")
            await bob.chat(1, "bob 1")
            await bob.read("ack")
            assert await hand_back(backend, session_id, events[:7]) > 0
            assert await hand_back(backend, session_id, events[:7]) == 0
            assert await hand_back(backend, session_id, events) > 0
            assert await hand_back(backend, session_id, events) == 0
            log = await read_log(backend, session_id)
            counters = backend.status()["counters"]
    ours = [f"message {n}" for n in range(1, 9)]
    assert [event["text"] for event in log] == [*ours[:5], "bob 1", *ours[5:]]
    assert (counters["logs_forked"], counters["messages_put_back"]) == (1, 3)
