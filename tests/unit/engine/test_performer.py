"""Actions beside the loop: one that ends slowly keeps neither the loop nor the lease."""

import asyncio

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.performer import Performer
from isshoni.engine.reconciler import TurnReport
from isshoni.rollout.actions import StartCandidate, StopColour
from isshoni.rollout.model import Colour, Release, Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock


class SlowToEnd(FakePorts):
    """Compute whose start takes long to stop when it is cancelled, as Terraform's apply does."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ended = asyncio.Event()
        self.seen: list[str] = []

    async def start(self, colour: Colour, release: Release) -> None:
        self.seen.append(f"start {colour}")
        await super().start(colour, release)
        try:
            await asyncio.Event().wait()
        finally:
            await self.ended.wait()
            self.seen.append(f"ended {colour}")

    async def stop(self, colour: Colour) -> None:
        self.seen.append(f"stop {colour}")
        await super().stop(colour)


def make_environment(ports: FakePorts) -> Environment:
    return Environment(ports, ports, ports, ports, MemoryJournal())


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_action_waits_for_the_one_that_it_replaces_and_the_caller_does_not() -> None:
    ports = SlowToEnd(World())
    performer = Performer(make_environment(ports))
    performer.start(StartCandidate("green", V2), lambda: None)
    await turn()
    performer.start(StopColour("green"), lambda: None)
    await turn()
    assert ports.seen == ["start green"]
    assert performer.is_underway(StopColour("green")) and performer.collect() == ()
    ports.ended.set()
    await turn()
    assert ports.seen == ["start green", "ended green", "stop green"]
    (result,) = performer.collect()
    assert result.action == StopColour("green") and result.fault is None


async def test_a_third_action_waits_for_the_first_too() -> None:
    ports = SlowToEnd(World())
    performer = Performer(make_environment(ports))
    performer.start(StartCandidate("green", V2), lambda: None)
    await turn()
    performer.start(StopColour("green"), lambda: None)
    performer.start(StartCandidate("green", V1), lambda: None)
    await turn()
    assert ports.seen == ["start green"]
    ports.ended.set()
    await turn()
    assert ports.seen == ["start green", "ended green", "start green"]
    await performer.aclose()
    assert ports.seen[-1] == "ended green"


async def test_a_check_that_fails_after_the_wait_lets_nothing_be_done() -> None:
    ports = SlowToEnd(World())
    performer = Performer(make_environment(ports))
    performer.start(StartCandidate("green", V2), lambda: None)
    await turn()

    def refuse() -> None:
        raise RuntimeError("the lease is lost")

    performer.start(StopColour("green"), refuse)
    ports.ended.set()
    await turn()
    with pytest.raises(RuntimeError, match="the lease is lost"):
        performer.collect()
    assert "stop green" not in ports.seen


@pytest.mark.spec("C6", "C7")
async def test_a_rollback_keeps_its_lease_while_terraform_takes_20_seconds_to_stop() -> None:
    world = World()
    world.boot_seconds = 1_000.0
    clock, journal, ports = WorldClock(world), MemoryJournal(), SlowToEnd(world)
    journal.record_stable(Stable("blue", V1), at=world.now)
    engine = Engine(Environment(ports, ports, ports, ports, journal), clock, "tester")
    begun, turns = clock.now(), 0

    def end_late(report: TurnReport) -> None:
        nonlocal turns
        turns += "ended green" not in ports.seen
        if clock.now() - begun > 5 + 20:
            ports.ended.set()

    plan = RolloutPlan(start_timeout_seconds=5)
    report = await deploy(engine, V2, plan, on_progress=end_late)
    assert report.outcome == "rolled_back", report
    assert ports.seen == ["start green", "ended green", "stop green"]
    assert turns > 25


class SlowToCreate(SlowToEnd):
    """Compute whose cancelled start still finishes the change that it was making."""

    async def start(self, colour: Colour, release: Release) -> None:
        self.seen.append(f"start {colour}")
        try:
            await asyncio.Event().wait()
        finally:
            await self.ended.wait()
            await FakePorts.start(self, colour, release)
            self.seen.append(f"ended {colour}")


@pytest.mark.spec("C6")
async def test_a_rollback_has_not_ended_while_a_cancelled_start_may_still_fill_the_slot() -> None:
    world = World()
    clock, journal, ports = WorldClock(world), MemoryJournal(), SlowToCreate(world)
    journal.record_stable(Stable("blue", V1), at=world.now)
    engine = Engine(Environment(ports, ports, ports, ports, journal), clock, "tester")
    begun = clock.now()
    outcomes: list[str] = []

    def end_late(report: TurnReport) -> None:
        if "ended green" not in ports.seen:
            outcomes.append(report.rollout.outcome)
        if clock.now() - begun > 5 + 20:
            ports.ended.set()

    plan = RolloutPlan(start_timeout_seconds=5)
    report = await deploy(engine, V2, plan, on_progress=end_late)
    assert report.outcome == "rolled_back", report
    assert set(outcomes) == {"running"}
    assert ports.seen == ["start green", "ended green", "stop green"]
    assert world.slots["green"].release is None
