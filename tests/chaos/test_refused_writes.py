"""Where nothing can be saved, clients still enter, read and move; and nothing is lost."""

from collections.abc import Sequence

import pytest

from tests.chaos.installation import installed
from tests.chaos.ordeal import live_through
from tests.chaos.refused_writes import REFUSED_WRITES, WITH_REPLICA


@pytest.mark.spec("A4")
@pytest.mark.parametrize("name", REFUSED_WRITES)
async def test_visitors_read_and_nothing_is_lost_under(name: str) -> None:
    async with installed(with_replica=name in WITH_REPLICA) as installation:

        async def strike(sessions: Sequence[str]) -> None:
            await REFUSED_WRITES[name](installation)
            await installation.wait_until_whole()

        verdict = await live_through(installation.url, strike)
        assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
        assert verdict.result.messages.sent > 50
        assert verdict.result.edits.sent > 20
