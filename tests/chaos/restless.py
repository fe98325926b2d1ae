"""What clients that come again all the time live through: quiet, faults, a deploy."""

import asyncio
from dataclasses import replace

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.installation import Installation
from tests.chaos.ordeal import SMALL

RESTLESS = replace(SMALL, restless=4)
QUIET_SECONDS = 5.0


async def restless_clients(installation: Installation) -> None:
    """Let nothing break."""
    await asyncio.sleep(QUIET_SECONDS)


async def restless_clients_kill_stable(installation: Installation) -> None:
    """kill -9 the backend that they come to."""
    await FAULTS["kill_stable"](installation)


async def restless_clients_slow_redis_link(installation: Installation) -> None:
    """Let everything that they sent last be late."""
    await FAULTS["slow_redis_link"](installation)


RESTLESS_ORDEALS: dict[str, Fault] = {
    ordeal.__name__: ordeal
    for ordeal in (
        restless_clients,
        restless_clients_kill_stable,
        restless_clients_slow_redis_link,
    )
}
