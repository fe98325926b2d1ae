"""A failover after which another process continues the log before the first one sees it."""

import asyncio

from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Weights
from tests.chaos.installation import Installation
from tests.chaos.process_faults import BACK_SECONDS, start_other_slot
from tests.chaos.redis_faults import become_copy_of, frozen_stable, lagging_replica

_CONTINUED_MESSAGES = 3
_MERGE_SECONDS = 2.0


async def fork_the_log(installation: Installation) -> None:
    """Promote a lagging replica, and let the other slot write to it while stable is frozen.

    New connections go to the other slot while it lasts: it needs clients that come and go.
    """
    traffic, stable = installation.environment.traffic, installation.stable().colour
    await start_other_slot(installation)
    async with lagging_replica(installation) as replica, frozen_stable(installation):
        await become_copy_of(installation, replica.port)
        lagged = await _count_messages(installation)
        await traffic.apply_weights(Weights.favouring(stable, 0))

        async def is_continued() -> bool:
            return await _count_messages(installation) >= lagged + _CONTINUED_MESSAGES

        assert await wait_until(is_continued, BACK_SECONDS), "the other slot wrote nothing"
    await asyncio.sleep(_MERGE_SECONDS)
    await traffic.apply_weights(Weights.favouring(stable, 100))
    seen = installation.log("blue") + installation.log("green")
    assert "log_forked" in seen, "the log never forked: this row shows nothing"


async def _count_messages(installation: Installation) -> int:
    async with installation.redis_client() as client:
        logs = [key async for key in client.scan_iter("chat:{*}:log")]
        return sum([await client.xlen(key) for key in logs])
