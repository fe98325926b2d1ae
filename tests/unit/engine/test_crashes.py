"""An engine that dies at any point is followed by one that comes to the same end."""

import itertools
from collections.abc import Sequence

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.journal import Record
from isshoni.engine.lease import Lease
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.report import RolloutReport
from isshoni.rollout.model import Colour, Release, Stable, Weights
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=0.3, observe_seconds=0.1, drain_timeout_seconds=5)


class Killed(BaseException):
    """The engine's process is gone."""


class Death:
    """Kills the engine at its nth deed, and keeps it dead."""

    def __init__(self, at: int) -> None:
        self.left = at

    def pass_by(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed


class DeadlyPorts(FakePorts):
    """Ports whose caller may die just before and just after anything is done."""

    def __init__(self, world: World, death: Death) -> None:
        super().__init__(world)
        self.death = death

    async def _act(self, method: str, *values: object) -> None:
        self.death.pass_by()
        await super()._act(method, *values)

    async def apply_weights(self, weights: Weights) -> None:
        await super().apply_weights(weights)
        self.death.pass_by()

    async def start(self, colour: Colour, release: Release) -> None:
        await super().start(colour, release)
        self.death.pass_by()

    async def stop(self, colour: Colour) -> None:
        await super().stop(colour)
        self.death.pass_by()

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
        close_over_seconds: float = 0.0,
    ) -> None:
        pace = {"rate_per_second": rate_per_second, "within_seconds": within_seconds}
        await super().migrate(colour, to, **pace, share_pct=share_pct)
        self.death.pass_by()


class DeadlyJournal(MemoryJournal):
    """A journal whose writer may die just before and just after a save."""

    death = Death(10**9)

    def save(
        self,
        rollout: Rollout,
        records: Sequence[Record],
        *,
        lease: Lease,
        revision: int,
        stable: Stable | None = None,
    ) -> int:
        self.death.pass_by()
        saved = super().save(rollout, records, lease=lease, revision=revision, stable=stable)
        self.death.pass_by()
        return saved


def make_world(faults: dict[str, object]) -> World:
    world = World()
    world.boot_seconds = 0.2
    world.candidate_faults = faults
    return world


async def deploy_with_death(world: World, journal: DeadlyJournal, at: int) -> RolloutReport:
    journal.death = Death(at)
    ports = DeadlyPorts(world, journal.death)
    engine = Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world), "tester")
    return await deploy(engine, V2, PLAN)


@pytest.mark.spec("C7")
@pytest.mark.parametrize(
    ("faults", "outcome", "weights"),
    [
        ({}, "promoted", Weights(0, 100)),
        ({"error_share": 0.5}, "rolled_back", Weights(100, 0)),
    ],
    ids=["good", "bad"],
)
async def test_death_at_every_point_leads_to_the_same_end(
    faults: dict[str, object], outcome: str, weights: Weights
) -> None:
    for at in itertools.count(1):
        world, journal = make_world(faults), DeadlyJournal()
        journal.record_stable(Stable("blue", V1), at=world.now)
        died = False
        try:
            report = await deploy_with_death(world, journal, at)
        except Killed:
            died = True
            ended = journal.read_latest()
            if ended is None or ended.rollout.outcome == "running":
                report = await deploy_with_death(world, journal, 10**9)
                ended = journal.read_latest()
            assert ended is not None
            assert ended.rollout.outcome == outcome, f"died at {at}"
        assert world.weights == weights, f"died at {at}"
        assert world.cut == [], f"died at {at}"
        kept = "green" if outcome == "promoted" else "blue"
        stable = journal.read_stable()
        assert stable is not None and stable.colour == kept
        assert world.slots[kept].clients == 50
        if not died:
            assert report.outcome == outcome
            assert at > 20
            return
