"""Faults that need users or an installation of their own, and must be the only ones to strike."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from isshoni.verify.settings import RunSettings
from tests.chaos.clock_steps import step_the_clock
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.forked_log import fork_the_log
from tests.chaos.installation import NO_NEEDS, Installation, Needs
from tests.chaos.ordeal import SMALL, Verdict, live_through
from tests.chaos.process_faults import hang_stable, kill_stable_beside_another
from tests.chaos.refused_writes import fill_redis_for_visitors, lose_replica

RESTLESS = replace(SMALL, restless=4)
"""With clients that reload, start again and duplicate themselves all the time."""
PASSING = replace(SMALL, passing=4)
"""With clients that come and go, each under a client_id of its own."""
QUIET_SECONDS = 5.0
_STRIKE_SECONDS = 90.0


@dataclass(frozen=True)
class Ordeal:
    """A fault, the users that it strikes, and what it needs."""

    strike: Fault
    users: RunSettings = SMALL
    needs: Needs = NO_NEEDS

    async def live_through(self, installation: Installation) -> Verdict:
        """Let it strike under its users, and judge what is promised of them."""

        async def trouble(sessions: Sequence[str]) -> None:
            async with asyncio.timeout(_STRIKE_SECONDS):
                await self.strike(installation)
                await installation.wait_until_whole()

        verdict = await live_through(installation.url, trouble, self.users)
        if self.users.restless:
            # The order is not promised while two lives of one client speak (docs/reliability.md).
            verdict = replace(verdict, faults={**verdict.faults, "reordered": 0})
        return verdict


async def stay_quiet(installation: Installation) -> None:
    """Let nothing break."""
    await asyncio.sleep(QUIET_SECONDS)


ORDEALS = {
    "kill_stable_beside_another": Ordeal(kill_stable_beside_another, needs=Needs(other_slot=True)),
    "hang_stable": Ordeal(hang_stable, needs=Needs(hang_seconds=3.0)),
    "fill_redis_for_visitors": Ordeal(fill_redis_for_visitors),
    "lose_replica": Ordeal(lose_replica, needs=Needs(replica=True)),
    "fork_the_log": Ordeal(fork_the_log, users=PASSING, needs=Needs(other_slot=True)),
    "step_the_clock": Ordeal(step_the_clock, needs=Needs(clock_steps=True)),
    "restless_clients": Ordeal(stay_quiet, users=RESTLESS),
    "restless_clients_kill_stable": Ordeal(FAULTS["kill_stable"], users=RESTLESS),
    "restless_clients_slow_redis_link": Ordeal(FAULTS["slow_redis_link"], users=RESTLESS),
}
