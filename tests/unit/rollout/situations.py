"""Rollouts in a certain situation, and what can go wrong with them there."""

from collections.abc import Callable

from isshoni.rollout.clocks import Condition
from isshoni.rollout.model import Weights
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import World
from tests.unit.rollout.driver import PLAN, TURN_SECONDS, Driver

LONG = 100.0
"""Longer than every timeout of the plan."""


def paused_at(step: StepName, weight: int | None = None) -> Callable[[], Driver]:
    """Have a rollout held at a step, where all is well, for longer than every timeout."""

    def drive_there() -> Driver:
        world = World()
        world.slots["blue"].stubborn = 2
        drive = Driver(world)
        drive.turn_until_step(step, weight)
        drive.ask("pause")
        turn_for(drive, LONG)
        assert drive.rollout.step.name is step
        return drive

    return drive_there


def moving_for_long() -> Driver:
    """Have a share that still moves, long after its weight was applied."""
    drive = Driver(World(clients=4000))
    drive.turn_until_step(StepName.CANARY, 50)
    turn_for(drive, 14)
    assert drive.rollout.bake_began is None and drive.rollout.step.weight == 50
    return drive


def returning_for_long() -> Driver:
    """Have a rollback that returns sessions, long after new connections are on stable."""
    drive = Driver(World(clients=3000), plan=PLAN.model_copy(update={"drain_timeout_seconds": 80}))
    drive.turn_until_step(StepName.CANARY, 100)
    drive.turn_until(lambda: drive.world.slots["green"].clients > 2500)
    drive.ask("rollback")
    turn_for(drive, 14)
    assert drive.rollout.rollback and drive.rollout.rollback.traffic_home
    assert drive.world.slots["green"].clients > 1000
    return drive


def confirming() -> Driver:
    """Have a rollout held at its last look before the old colour is ended."""
    world = World()
    world.slots["blue"].stubborn = 2
    drive = Driver(world)
    drive.turn_until_step(StepName.WAIT_STRAGGLERS)
    over = PLAN.drain_timeout_seconds - TURN_SECONDS
    drive.turn_until(lambda: drive.rollout.measure_wait(Condition.STABLE_EMPTY, world.now) >= over)
    world.unread.add("weights")
    drive.turn_until_step(StepName.CONFIRM_EMPTY)
    world.unread.clear()
    drive.ask("pause")
    turn_for(drive, LONG)
    assert drive.rollout.step.name is StepName.CONFIRM_EMPTY
    return drive


def unread(*what: str) -> Callable[[World], None]:
    return lambda world: world.unread.update(what)


def unwell(colour: str) -> Callable[[World], None]:
    def make_unwell(world: World) -> None:
        world.slots[colour].healthy_at = world.now + TURN_SECONDS / 2  # type: ignore[index]

    return make_unwell


def weights_elsewhere(world: World) -> None:
    world.weights = Weights(70, 30)


def weights_stay_elsewhere(world: World) -> None:
    world.weights_stick = True
    weights_elsewhere(world)


def sends_away(world: World) -> None:
    world.slots["blue"].moving_to = "green"


def turn_for(drive: Driver, seconds: float) -> None:
    """Let time pass, turn by turn."""
    until = drive.world.now + seconds
    drive.turn_until(lambda: drive.world.now >= until)
