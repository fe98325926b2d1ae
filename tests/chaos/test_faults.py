"""Each fault alone, under live users: nothing is lost, doubled, reordered, or left undone."""

from collections.abc import Sequence

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.installation import Installation
from tests.chaos.ordeal import live_through


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


async def test_the_judge_sees_a_message_that_vanished_from_the_log(
    installation: Installation,
) -> None:
    async def lose_a_message(sessions: Sequence[str]) -> None:
        async with installation.redis_client() as client:
            deleted = [await client.xdel(f"chat:{{{name}}}:log", "2-0") for name in sessions]
        assert deleted == [1] * len(sessions)
        # A backend that lives still serves it from its own memory.
        await FAULTS["kill_stable"](installation)
        await installation.wait_until_whole()

    verdict = await live_through(installation.url, lose_a_message)
    assert verdict.broken["lost"] > 0
