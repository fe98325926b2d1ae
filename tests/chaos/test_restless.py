"""Clients that reload, start again and duplicate themselves, under the faults of a day."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.chaos.installation import Installation
from tests.chaos.ordeal import Trouble, live_through
from tests.chaos.restless import RESTLESS, RESTLESS_ORDEALS


@pytest.mark.spec("A4")
@pytest.mark.parametrize("name", RESTLESS_ORDEALS)
async def test_nothing_is_lost_by_clients_that_come_again_all_the_time(
    installation: Installation, name: str
) -> None:
    verdict = await live_through(installation.url, _trouble(installation, name), RESTLESS)
    # The order is not promised while two lives of one client speak (docs/reliability.md).
    broken = {name: count for name, count in verdict.broken.items() if name != "reordered"}
    assert broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
    assert verdict.result.messages.sent > 100
    assert "Traceback" not in installation.log("blue")


def _trouble(installation: Installation, name: str) -> Trouble:
    async def trouble(sessions: Sequence[str]) -> None:
        async with asyncio.timeout(90):
            await RESTLESS_ORDEALS[name](installation)
            await installation.wait_until_whole()

    return trouble
