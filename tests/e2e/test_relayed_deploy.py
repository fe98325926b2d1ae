"""An unmodified chat under stock clients: deployed, rolled back, aborted, and killed."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.integration.relay.test_moves import Member, assert_each_got_everything_once, expected
from tests.support.installation import Installation, installation
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e
ROOMS, IN_ROOM = 10, 5
CHAT = Path(__file__).parents[1] / "support" / "tutorial_chat.py"
BROKEN = """
from chat import app as chat

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        raise RuntimeError("this version cannot open a WebSocket")
    await chat(scope, receive, send)
"""


WITHOUT = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
async def page() -> str:
    return "this version has no WebSocket"
"""


@pytest.fixture
def platform() -> Iterator[Installation]:
    quick = {"bake_seconds": 0.3, "drain_timeout_seconds": 3.0, "migrate_within_seconds": 1.0}
    with installation(**quick, hold_seconds=4.0) as made:
        shutil.copy(CHAT, made.directory / "chat.py")
        (made.directory / "broken.py").write_text(BROKEN)
        (made.directory / "without.py").write_text(WITHOUT)
        yield made


def command_for(app: str) -> tuple[str, ...]:
    """Return the options that run an ASGI application of the directory."""
    line = f"env COLOUR={{colour}} {sys.executable} -m uvicorn {app} --port {{port}}"
    return ("--command", line, "--ready-path", "/")


async def run(platform: Installation, *arguments: str, code: int = 0) -> Any:
    """Run a command that must end with this code; return the JSON that it prints."""
    done = await asyncio.to_thread(platform.run, *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


async def count(platform: Installation) -> dict[str, int]:
    """Return the connections of each slot, as `isshoni status` shows them."""
    seen = (await run(platform, "status"))["seen"]
    return {name: colour["connections"] for name, colour in seen["colours"].items()}


async def wait_for(platform: Installation, colour: str) -> None:
    """Wait until a slot has sessions."""
    for _ in range(100):
        if (await run(platform, "status"))["seen"]["colours"][colour]["sessions"]:
            return
    raise AssertionError(f"no connection came to {colour}")


@contextlib.asynccontextmanager
async def chatting(platform: Installation) -> AsyncIterator[list[Member]]:
    """Open stock clients by the public port; each sends a message now and then."""
    address = (await run(platform, "status"))["address"].replace("http", "ws", 1)
    members = []
    for number in range(ROOMS * IN_ROOM):
        socket = await websockets.connect(f"{address}/ws/r{number % ROOMS}")
        members.append(Member(f"m{number}", f"r{number % ROOMS}", socket))
    talking = asyncio.create_task(_talk(members))
    try:
        yield members
        talking.cancel()
        await asyncio.wait([talking])
        await settle(members)
    finally:
        talking.cancel()
        for member in members:
            await member.leave()


async def _talk(members: list[Member]) -> None:
    while True:
        for member in members:
            with contextlib.suppress(websockets.ConnectionClosed):
                await member.send()
            await asyncio.sleep(0.01)


async def settle(members: list[Member]) -> None:
    """Wait until each open client has every message that open clients of its room have sent.

    What a client sent just before its program was killed may be lost: it was closed, and knows.
    """
    there = [member for member in members if member.ended_with is None]
    sent = {room: set(expected(there, room)) for room in {member.room for member in there}}
    await wait_until(
        lambda: all(sent[m.room] <= set(m.got) for m in there if m.ended_with is None),
        "every client has every message",
    )


@pytest.mark.timeout(240)
async def test_deploys_of_an_unmodified_chat_close_no_socket_and_lose_no_message(
    platform: Installation,
) -> None:
    await run(platform, "up", "v1", *command_for("chat:app"))
    relay = platform.pid("relay")
    async with chatting(platform) as members:
        everyone = len(members)
        report = await run(platform, "deploy", "v2", *command_for("chat:app"))
        assert report["outcome"] == "promoted"
        assert await count(platform) == {"blue": 0, "green": everyone}

        platform.plan(bake_seconds=30.0, weights=[50, 100])
        deploying = asyncio.create_task(
            run(platform, "deploy", "v4", *command_for("chat:app"), code=5)
        )
        await wait_for(platform, "blue")
        await run(platform, "rollback")
        assert (await deploying)["outcome"] == "rolled_back"
        assert await count(platform) == {"blue": 0, "green": everyone}
        await settle(members)
        for member in members:
            assert member.ended_with is None
        assert platform.pid("relay") == relay
    for member in members:
        member.ended_with = None  # they left by themselves
    assert_each_got_everything_once(members)


@pytest.mark.timeout(240)
async def test_a_release_that_opens_no_websocket_is_rolled_back_and_closes_none(
    platform: Installation,
) -> None:
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        for app in ("broken:app", "without:app"):
            report = await run(platform, "deploy", "v2", *command_for(app), code=5)
            assert report["outcome"] == "rolled_back"
            found = [words in report["reason"] for words in ("broken sockets", "refused")]
            assert any(found), report["reason"]
            assert await count(platform) == {"blue": len(members), "green": 0}
        await settle(members)
        assert [member.ended_with for member in members] == [None] * len(members)
    for member in members:
        member.ended_with = None
    assert_each_got_everything_once(members)


@pytest.mark.timeout(240)
async def test_a_candidate_killed_in_the_middle_closes_the_sockets_that_it_had_and_no_other(
    platform: Installation,
) -> None:
    platform.plan(bake_seconds=30.0, weights=[50, 100])
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        deploying = asyncio.create_task(
            run(platform, "deploy", "v2", *command_for("chat:app"), code=5)
        )
        await wait_for(platform, "green")
        os.kill(platform.pid("green"), signal.SIGKILL)
        assert "green" in (await deploying)["reason"]
        left = [member for member in members if member.ended_with is None]
        assert 0 < len(left) < len(members)
        await wait_until(lambda: all(len(m.sent) > 10 for m in left), "the others talk on")
        await settle(members)
        assert await count(platform) == {"blue": len(left), "green": 0}
        for member in left:
            own = [text for text in member.got if text.startswith(f"{member.name}:")]
            assert own == member.sent[: len(own)] and len(own) >= 10


@pytest.mark.timeout(240)
async def test_a_deploy_of_two_processes_outlasts_the_end_of_the_relay(
    platform: Installation,
) -> None:
    platform.configure(processes=2)
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        await run(platform, "deploy", "v2", *command_for("chat:app"))
        assert await count(platform) == {"blue": 0, "green": len(members)}
        await settle(members)
        assert [member.ended_with for member in members] == [None] * len(members)
        platform.plan(bake_seconds=2.0, hold_seconds=30.0, weights=[50, 100])
        deploying = asyncio.create_task(run(platform, "deploy", "v3", *command_for("chat:app")))
        await wait_for(platform, "blue")
        os.kill(platform.pid("relay"), signal.SIGKILL)
        assert (await deploying)["outcome"] == "promoted"
        troubles = (await run(platform, "status"))["troubles"]
        assert any("the relay ended" in line for line in troubles)
    assert "relay_started" in platform.run("logs", "relay").stdout


@pytest.mark.timeout(240)
async def test_turning_the_relay_off_and_on_again_cuts_none_of_the_sockets_that_it_has(
    platform: Installation,
) -> None:
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        for release, relay in (("v2", False), ("v3", False), ("v4", True)):
            platform.configure(relay=relay)
            report = await run(platform, "deploy", release, *command_for("chat:app"))
            assert report["outcome"] == "promoted"
            assert sum((await count(platform)).values()) == len(members)
        await settle(members)
        assert [member.ended_with for member in members] == [None] * len(members)
    for member in members:
        member.ended_with = None
    assert_each_got_everything_once(members)


@pytest.mark.timeout(240)
async def test_without_a_relay_sockets_stay_where_they_are_until_the_drain_ends(
    platform: Installation,
) -> None:
    platform.configure(relay=False)
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        report = await run(platform, "deploy", "v2", *command_for("chat:app"))
        assert report["outcome"] == "promoted"
        await wait_until(
            lambda: all(member.ended_with is not None for member in members),
            "the old program has closed every socket",
        )
    assert not (platform.directory / "state" / "observed" / "relay.json").exists()
