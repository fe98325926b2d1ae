"""`promote` during a deploy of an unmodified chat behind the relay."""

import asyncio
from collections.abc import Iterator

import pytest

from isshoni.errors import ExitCode
from tests.e2e.test_relayed_deploy import (
    chatting,
    command_for,
    count,
    platform,
    run,
    settle,
    wait_for,
)
from tests.support.installation import Installation

__all__ = ["platform"]
pytestmark = pytest.mark.e2e


@pytest.fixture
def long_bake(platform: Installation) -> Iterator[Installation]:
    """An installation whose canary would be watched for ten minutes."""
    platform.plan(bake_seconds=600.0, weights=[50, 100])
    yield platform


@pytest.mark.timeout(240)
async def test_promote_alone_changes_nothing_and_with_skip_bake_ends_each_bake(
    long_bake: Installation,
) -> None:
    await run(long_bake, "up", "v1", *command_for("chat:app"))
    async with chatting(long_bake) as members:
        deploying = asyncio.create_task(run(long_bake, "deploy", "v2", *command_for("chat:app")))
        await wait_for(long_bake, "green")
        before = (await run(long_bake, "status"))["rollout"]

        alone = await asyncio.to_thread(long_bake.run, "promote")
        assert alone.returncode == ExitCode.USAGE and "--skip-bake" in alone.stderr
        after = (await run(long_bake, "status"))["rollout"]
        assert (after["step"], after["outcome"]) == (before["step"], "running")

        while not deploying.done():
            await asyncio.to_thread(long_bake.run, "promote", "--skip-bake")
        assert (await deploying)["outcome"] == "promoted"
        assert await count(long_bake) == {"blue": 0, "green": len(members)}
        await settle(members)
        assert [member.ended_with for member in members] == [None] * len(members)
