"""Releases behind the relay that fail only some clients."""

import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.test_relayed_deploy import CHAT, chatting, command_for, count, run, settle
from tests.integration.relay.test_moves import assert_each_got_everything_once
from tests.support.installation import Installation, installation

pytestmark = pytest.mark.e2e
EVERY_THIRD = """
import asyncio
from itertools import count

from chat import app as chat

numbers = count()

async def app(scope, receive, send):
    if scope["type"] == "websocket" and next(numbers) % 3:
        await asyncio.Event().wait()
    await chat(scope, receive, send)
"""


@pytest.fixture
def platform() -> Iterator[Installation]:
    quick = {"bake_seconds": 0.3, "drain_timeout_seconds": 8.0, "migrate_within_seconds": 2.0}
    with installation(**quick, hold_seconds=6.0, weights=[100]) as made:
        shutil.copy(CHAT, made.directory / "chat.py")
        (made.directory / "every_third.py").write_text(EVERY_THIRD)
        yield made


@pytest.mark.timeout(240)
async def test_a_release_that_answers_every_third_handshake_is_rolled_back_and_closes_none(
    platform: Installation,
) -> None:
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        report = await run(platform, "deploy", "v2", *command_for("every_third:app"), code=5)
        assert report["outcome"] == "rolled_back"
        found = [words in report["reason"] for words in ("not take", "broken sockets")]
        assert any(found), report["reason"]
        assert await count(platform) == {"blue": len(members), "green": 0}
        await settle(members)
        assert [member.ended_with for member in members] == [None] * len(members)
    for member in members:
        member.ended_with = None  # they left by themselves
    assert_each_got_everything_once(members)
