"""Processes of this version and of the last release, side by side in one database."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from isshoni.client import About, ChatFile, SessionClient
from tests.integration.backend.test_failover import Witness, client_of, read_log, say
from tests.support.backend import BackendProcess
from tests.support.last_release import unpack_last_release
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def released_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the source folder of the last release."""
    return unpack_last_release(tmp_path_factory.mktemp("released"))


@pytest.fixture(params=[0, 1])
def both(
    request: pytest.FixtureRequest, valkey: ValkeyServer, tmp_path: Path, released_source: Path
) -> Iterator[tuple[BackendProcess, BackendProcess]]:
    url = f"redis://127.0.0.1:{valkey.port}/{request.param}"
    source = str(released_source)
    with (
        BackendProcess(url, tmp_path / "released", PYTHONPATH=source) as released,
        BackendProcess(url, tmp_path / "present", "green") as present,
    ):
        for process in (released, present):
            process.wait_until_ready()
        yield released, present


@pytest.mark.spec("A5")
async def test_messages_edits_and_deletion_cross_between_two_versions(
    both: tuple[BackendProcess, BackendProcess], session_id: str
) -> None:
    released, present = both
    saw = [Witness(), Witness()]
    async with (
        client_of(released, session_id, saw[0]) as ann,
        client_of(present, session_id, saw[1]) as bob,
    ):
        for client in (ann, bob):
            assert await client.wait_until_restored(20)
        await asyncio.gather(say(ann, "ann", range(20)), say(bob, "bob", range(20)))
        for client, name in ((ann, "a"), (bob, "b")):
            client.draw(name, {"x": 1})
        await wait_until(lambda: all(len(one.texts) == 40 for one in saw), "all messages")
        await wait_until(lambda: set(ann.elements) == set(bob.elements) == {"a", "b"}, "edits")
        assert saw[0].texts == saw[1].texts
        assert saw[0].texts == [event["text"] for event in await read_log(present, session_id)]
        assert saw[0].restarts == saw[1].restarts == 0
        for process in both:
            counters = process.status()["counters"]
            assert (counters["logs_recovered"], counters["logs_forked"]) == (0, 0)


@pytest.mark.spec("A5")
async def test_a_client_of_the_last_release_sees_readable_text_for_every_act(
    both: tuple[BackendProcess, BackendProcess], session_id: str, released_source: Path
) -> None:
    released, present = both
    old = await released.join(session_id, client_id="old")
    async with client_of(present, session_id, Witness()) as ann:
        assert await ann.wait_until_restored(20)
        ann.chat.send("hello", files=[ChatFile("f1", "plan.pdf")])
        ann.chat.edit(ann_first := About("edit", ann.client_id, 1), "hallo")
        ann.chat.react(ann_first, "👍")
        ann.chat.delete(ann_first)
        assert await ann.wait_until_saved(20)
    events = [await old.read("chat") for _ in range(4)]
    assert [event["text"] for event in events] == ["hello", "hallo", "👍", "(deleted)"]
    # A server that does not know the fields passes them on.
    assert [event.get("about", {}).get("kind") for event in events] == [
        None, "edit", "react", "delete",
    ]  # fmt: skip
    assert events == await read_log(present, session_id)
    assert parse_with_release(events, released_source) == [event["text"] for event in events]
    await old.close()


@pytest.mark.spec("A5")
async def test_an_act_that_reaches_the_last_release_is_plain_text_once(
    both: tuple[BackendProcess, BackendProcess], session_id: str
) -> None:
    released, present = both
    saw = Witness()
    async with client_of(released, session_id, saw) as ann:
        assert await ann.wait_until_restored(20)
        assert ann.chat.features == ()
        ann.chat.send("hello")
        ann.chat.edit(About("edit", ann.client_id, 1), "hallo")
        assert await ann.wait_until_saved(20)
        ann.chat.react(About("react", ann.client_id, 1), "👍")
        state = ann.outbox_state
        await ann.acrash()
    # What was in flight there is sent again here, and not doubled.
    async with SessionClient(present.url.replace("http", "ws"), session_id, outbox=state) as again:
        assert await again.wait_until_saved(20)
        again.send_chat("after")
        assert await again.wait_until_saved(20)
    texts = [event["text"] for event in await read_log(present, session_id)]
    assert texts == ["hello", "hallo", "👍", "after"]


def parse_with_release(events: list[dict[str, Any]], source: Path) -> list[str]:
    """Return the texts of events as the client of the last release reads them."""
    program = (
        "import json, sys; from isshoni.session.from_server import parse_from_server as parse;"
        "print(json.dumps([parse(json.dumps(e)).text for e in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(events).encode(),
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    texts: list[str] = json.loads(done.stdout)
    return texts


@pytest.mark.spec("A5")
@pytest.mark.parametrize("deletes", [0, 1])
async def test_a_deletion_reaches_the_other_version(
    both: tuple[BackendProcess, BackendProcess], session_id: str, deletes: int
) -> None:
    clients = [await process.join(session_id, client_id=f"c{i}") for i, process in enumerate(both)]
    async with httpx.AsyncClient() as http:
        answer = await http.delete(f"{both[deletes].url}/sessions/{session_id}", timeout=20)
    assert answer.status_code == 204
    async with asyncio.timeout(30):
        assert [await client.close_code() for client in clients] == [4410, 4410]
