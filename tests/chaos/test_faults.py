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
