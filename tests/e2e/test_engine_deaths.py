"""kill -9 of the real engine at every transition, with people on real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isshoni.verify.ports import DeployReport
from isshoni.verify.result import Result
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.command import Command, command

MOST_DEATHS = 120
SETTINGS = RunSettings(
    clients=6, sessions=3, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(5.0, 2.0)
)


@pytest.fixture
async def isshoni() -> AsyncIterator[Command]:
    with command() as isshoni:
        up = await isshoni.run("up", "v1")
        assert up.code == 0, up.err
        yield isshoni
        await isshoni.run("down")


async def run_until_it_ends(isshoni: Command, died_at: Path, *words: str) -> DeployReport:
    """Run a command that dies at one more point each time, until its rollout has ended."""
    for _ in range(MOST_DEATHS):
        ended = await isshoni.run(*words, deadly=died_at)
        assert ended.code in (0, -9), ended.err
        rollout = isshoni.read_rollout()
        if rollout is not None and rollout.outcome != "running":
            return DeployReport(rollout.outcome, reason=rollout.reason)
    raise AssertionError("it still dies")


class DyingDeploy:
    """A deploy whose engine dies at every point on the way to its end."""

    def __init__(self, isshoni: Command, died_at: Path) -> None:
        self.isshoni, self.died_at = isshoni, died_at

    async def deploy(self, version: str) -> DeployReport:
        return await run_until_it_ends(self.isshoni, self.died_at, "deploy", version)


class DyingRollback:
    """A deploy killed when everybody has moved, taken back by engines that die at every point."""

    def __init__(self, isshoni: Command, died_at: Path) -> None:
        self.isshoni, self.died_at = isshoni, died_at

    async def deploy(self, version: str) -> DeployReport:
        self.isshoni.configure(weights=[100], bake_seconds=600)
        engine = await self.isshoni.start("deploy", version)
        await self.isshoni.wait_until(lambda rollout: rollout.bake_began is not None)
        engine.kill()
        await engine.communicate()
        return await run_until_it_ends(self.isshoni, self.died_at, "rollback")


async def live_through(
    isshoni: Command, runner: DyingDeploy | DyingRollback, expected: str
) -> Result:
    address = (await isshoni.status())["address"].replace("http", "ws", 1)
    return await verify(address, SETTINGS, deploys=[PlannedDeploy("v2", expected)], runner=runner)


def nothing_was_lost(result: Result) -> None:
    messages = result.messages
    assert messages.sent > 0
    assert messages.acked == messages.sent
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert (result.edits.lost, result.edits.diverged_sessions) == (0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts


def list_deaths(died_at: Path) -> list[str]:
    deaths = died_at.read_text().splitlines()
    print(f"{len(deaths)} deaths:", *deaths, sep="\n  ")
    return deaths


@pytest.mark.e2e
@pytest.mark.timeout(400)
@pytest.mark.spec("C7", "A4")
async def test_engine_killed_at_every_point_is_followed_by_one_that_promotes(
    isshoni: Command, tmp_path: Path
) -> None:
    died_at = tmp_path / "died_at"
    result = await live_through(isshoni, DyingDeploy(isshoni, died_at), "promoted")
    deaths = list_deaths(died_at)
    assert len(deaths) >= 25
    for act in ("start v2 on green", "migrate 10 % of blue to green"):
        assert {f"before: {act}", f"after: {act}"} <= set(deaths)
    assert "before: stop blue" in deaths
    # The slot may be seen empty, and that be the end, before the order to empty it returns.
    assert {"after: stop blue", "before saving: promoted"} & set(deaths)
    nothing_was_lost(result)
    stand = await isshoni.status()
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("green", "v2")
    assert stand["seen"]["weights_verified"] == {"blue": 0, "green": 100}
    assert stand["seen"]["colours"]["green"]["restarts"] == 0
    assert stand["seen"]["colours"]["blue"]["release"] is None


@pytest.mark.e2e
@pytest.mark.timeout(400)
@pytest.mark.spec("C6", "C7", "A4")
async def test_engine_killed_at_every_point_of_a_rollback_still_returns_all_sessions(
    isshoni: Command, tmp_path: Path
) -> None:
    died_at = tmp_path / "died_at"
    result = await live_through(isshoni, DyingRollback(isshoni, died_at), "rolled_back")
    deaths = list_deaths(died_at)
    assert {"before: migrate green to blue", "before: stop green"} <= set(deaths)
    home = "apply weights blue 100 % / green 0 %"
    assert {f"before: {home}", f"after: {home}"} <= set(deaths)
    assert {"after: stop green", "before saving: rolled_back"} & set(deaths)
    nothing_was_lost(result)
    stand = await isshoni.status()
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("blue", "v1")
    assert stand["seen"]["weights_verified"] == {"blue": 100, "green": 0}
    assert stand["seen"]["colours"]["green"]["release"] is None
