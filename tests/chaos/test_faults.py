"""Each fault alone, under live users: nothing is lost, doubled, reordered, or left undone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.installation import Installation
from tests.chaos.ordeal import SMALL, live_through


@pytest.mark.spec("A4")
@pytest.mark.parametrize("name", FAULTS)
async def test_nothing_is_lost_under(installation: Installation, name: str) -> None:
    async def strike(sessions: Sequence[str]) -> None:
        await FAULTS[name](installation)
        await installation.wait_until_whole()

    verdict = await live_through(installation.url, strike)
    assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
    assert verdict.result.messages.sent > 50
    assert verdict.result.edits.sent > 20
    assert "Traceback" not in installation.log("blue")


async def test_the_judge_sees_what_a_redis_without_its_data_has_lost(
    installation: Installation,
) -> None:
    async def lose_everything(sessions: Sequence[str]) -> None:
        async with installation.redis_client() as client:
            await client.flushall()

    impatient = replace(SMALL, settle_seconds=3.0)
    verdict = await live_through(installation.url, lose_everything, impatient)
    assert verdict.broken["lost"] > 0
    assert verdict.broken["trouble"] > 0
