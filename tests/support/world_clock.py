"""The clock of the fake environment."""

import asyncio

from tests.support.fake_environment import World


class WorldClock:
    """The world's own clock: waiting makes its time pass."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now(self) -> float:
        return self.world.now

    async def sleep(self, seconds: float) -> None:
        for _ in range(3):  # actions that take no time end before any passes
            await asyncio.sleep(0)
        self.world.tick(seconds)
        for _ in range(3):
            await asyncio.sleep(0)
