"""Drives a failover over fake regions, with a clock of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.conditions import Seen
from isshoni.rollout.failover.decide import Event, Turn, decide
from isshoni.rollout.failover.model import Failover
from isshoni.rollout.failover.steps import Mode, StepName
from isshoni.rollout.state import Request
from tests.support.fake_regions import FakeRegions

TURN_SECONDS = 0.25


def begin(mode: Mode = "planned") -> Failover:
    """Return a failover from east to west at its first step."""
    return Failover("f-1", mode, "east", "west", 0.0)


@dataclass
class Driver:
    """An engine in a test: observe, decide, act."""

    regions: FakeRegions = field(default_factory=FakeRegions)
    failover: Failover = field(default_factory=begin)
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    _acted_at: float | None = None
    _fault: str | None = None

    def turn(self) -> None:
        """Do one turn."""
        asyncio.run(self._turn())

    def run(self, until: Callable[[Failover], bool] = lambda _: False) -> Failover:
        """Run turns until the failover ends, or something is true of it."""
        for _ in range(2000):
            self.turn()
            if self.failover.outcome != "running" or until(self.failover):
                return self.failover
        raise AssertionError(f"it never ended: {self.failover}")

    def run_to(self, step: StepName) -> Failover:
        """Run turns until a step is reached."""
        return self.run(lambda failover: failover.step.name is step)

    def ask(self, kind: str) -> None:
        """File a request."""
        self.requests.append(Request(len(self.requests) + 1, kind, "kim", self.now))  # type: ignore[arg-type]

    async def _turn(self) -> None:
        seen = Seen(
            await self.regions.observe(self.failover.source),
            await self.regions.observe(self.failover.target),
            await self.regions.find_switched(),
        )
        news = [each for each in self.requests if each.id > self.failover.requests_seen]
        turn = Turn(self.now, seen, news, self._fault, acted_at=self._acted_at)
        self._fault, before = None, self.failover.step
        decision = decide(self.failover, turn)
        self.failover = decision.failover
        self.events += decision.events
        if self.failover.step is not before:
            self._acted_at = None
        if decision.action is not None:
            self._acted_at = self.now
            try:
                await self.regions.perform(decision.action)
            except EnvironmentFault as fault:
                self._fault = str(fault)
        self.now += TURN_SECONDS
