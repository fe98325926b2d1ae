"""Each fault that must strike alone: nothing is lost, doubled, or left undone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.conftest import Site
from tests.chaos.installation import NO_NEEDS, Installation, Needs, installed
from tests.chaos.ordeals import ORDEALS


@asynccontextmanager
async def suitable(site: Site, needs: Needs) -> AsyncIterator[Installation]:
    """Use the shared installation where it will do, or else one for this test only."""
    if needs == NO_NEEDS:
        try:
            yield await site.whole_installation()
        except BaseException:
            site.clear()
            raise
        return
    async with installed(needs) as installation:
        yield installation


@pytest.mark.spec("A4")
@pytest.mark.parametrize("name", list(ORDEALS))
async def test_nothing_is_lost_under(site: Site, name: str) -> None:
    ordeal = ORDEALS[name]
    async with suitable(site, ordeal.needs) as installation:
        verdict = await ordeal.live_through(installation)
        assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
        assert verdict.result.messages.sent > 50
        assert verdict.result.edits.sent > 20
        assert "Traceback" not in installation.log("blue") + installation.log("green")
