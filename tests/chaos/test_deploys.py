"""A deploy through a fault: it goes on or is taken back, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.chaos.installation import Engine, Installation
from tests.chaos.ordeal import Verdict, live_through
from tests.chaos.process_faults import black_hole_redis, kill_redis, kill_stable

Strike = Callable[[Installation, Engine], Awaitable[None]]


async def _wait_for_candidate(installation: Installation) -> None:
    """Wait until the deploy has started its candidate."""
    async with asyncio.timeout(30):
        while installation.pid(installation.candidate()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def kill_candidate(installation: Installation, engine: Engine) -> None:
    installation.kill(installation.candidate())


async def kill_the_stable(installation: Installation, engine: Engine) -> None:
    await kill_stable(installation)


async def kill_the_redis(installation: Installation, engine: Engine) -> None:
    await kill_redis(installation)


async def black_hole(installation: Installation, engine: Engine) -> None:
    await black_hole_redis(installation)


async def deploy_through(
    installation: Installation, label: str, strike: Strike
) -> tuple[str, Verdict]:
    """Deploy under live users, and strike once the candidate runs."""
    outcome = ""

    async def trouble(sessions: Sequence[str]) -> None:
        nonlocal outcome
        engine = await installation.start_deploy(label)
        await _wait_for_candidate(installation)
        await asyncio.sleep(1.0)
        await strike(installation, engine)
        outcome = await engine.outcome()
        await installation.wait_until_whole()

    verdict = await live_through(installation.url, trouble)
    return outcome, verdict


@pytest.mark.spec("A4", "C6")
@pytest.mark.parametrize("strike", [kill_candidate, kill_the_stable, kill_the_redis, black_hole])
async def test_nothing_is_lost_when_a_deploy_meets(
    installation: Installation, strike: Strike
) -> None:
    outcome, verdict = await deploy_through(installation, f"v-{strike.__name__}", strike)
    assert outcome in ("promoted", "rolled_back"), installation.logs()
    assert verdict.broken == {}, f"{outcome} {verdict.result.trouble}\n{installation.logs()}"


@pytest.mark.spec("A4", "C7")
async def test_nothing_is_lost_when_the_engine_is_killed_and_started_again(
    installation: Installation,
) -> None:
    outcome = ""

    async def kill_engine(sessions: Sequence[str]) -> None:
        nonlocal outcome
        engine = await installation.start_deploy("v-engine")
        await _wait_for_candidate(installation)
        await asyncio.sleep(2.0)
        engine.kill()
        await engine.outcome()
        outcome = await (await installation.start_deploy("v-engine")).outcome()

    verdict = await live_through(installation.url, kill_engine)
    assert outcome == "promoted", installation.logs()
    assert installation.stable().release.label == "v-engine"
    assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
