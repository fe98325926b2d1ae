"""Two environments on one Redis server, under load and under faults: nothing is lost or crosses."""

import pytest

from tests.chaos.two_environments import live_through_both, two_installed


@pytest.mark.spec("A4", "A7")
async def test_two_environments_on_one_redis_lose_nothing_and_share_nothing() -> None:
    async with two_installed() as installations:
        for verdict, installation in zip(
            await live_through_both(*installations), installations, strict=True
        ):
            assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
            assert verdict.result.messages.sent > 50
            assert verdict.result.edits.sent > 20
