"""Drives the pure core over a simulated world: no engine, no tasks, no journal."""

from collections.abc import Callable
from dataclasses import replace

from isshoni.rollout.actions import (
    Action,
    ActionResult,
    ApplyWeights,
    CancelMigration,
    Migrate,
    PrepareRelease,
    ProveCandidate,
    SendProbes,
    StartCandidate,
    StopColour,
)
from isshoni.rollout.decide import Decision, decide
from isshoni.rollout.look import Turn
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Request, RequestKind, Rollout, begin_rollout
from isshoni.rollout.steps import StepName
from tests.support.fake_environment import V1, V2, World

PLAN = RolloutPlan(
    bake_seconds=2.0,
    start_timeout_seconds=10,
    weight_timeout_seconds=3,
    migrate_within_seconds=5,
    drain_timeout_seconds=30,
)
TURN_SECONDS = 0.25


class Driver:
    """A rollout of `release` in a world, turn by turn."""

    def __init__(
        self,
        world: World | None = None,
        *,
        release: Release = V2,
        stable: Release = V1,
        plan: RolloutPlan = PLAN,
        force: bool = False,
    ) -> None:
        self.world = world or World()
        self.world.slots["blue"].release = stable
        self.rollout: Rollout = begin_rollout(
            "r1", release, plan, Stable("blue", stable), self.world.now, force=force
        )
        self.results: list[ActionResult] = []
        self.requests: list[Request] = []
        self.decisions: list[Decision] = []

    def turn(self, *, blind: bool = False) -> Decision:
        """Decide once, obey, and let some time pass."""
        seen = None if blind else self.world.observe()
        fault = "it is dark" if blind else None
        results, self.results = tuple(self.results), []
        turn = Turn(self.world.now, seen, results, tuple(self.requests), fault)
        decision = decide(self.rollout, turn)
        self.rollout = decision.rollout
        self.decisions.append(decision)
        for action in decision.actions:
            self._obey(action)
        self.world.tick(TURN_SECONDS)
        return decision

    def turn_until(self, reached: Callable[[], bool]) -> None:
        """Turn until something is so, for ten minutes at most."""
        deadline = self.world.now + 600
        while not reached():
            assert self.world.now < deadline, f"never, at {self.rollout.step}"
            self.turn()

    def turn_until_step(self, name: StepName, weight: int | None = None) -> None:
        """Turn until the rollout is at a step."""
        self.turn_until(
            lambda: self.rollout.step.name is name and weight in (None, self.rollout.step.weight)
        )

    def turn_until_end(self) -> Rollout:
        """Turn until the rollout is over."""
        self.turn_until(lambda: self.rollout.outcome != "running")
        return self.rollout

    def ask(self, kind: RequestKind) -> None:
        """File a request."""
        self.requests.append(Request(len(self.requests) + 1, kind, "ann", self.world.now))

    def acted(self, kind: type[Action]) -> list[Action]:
        """Give the actions of a kind so far."""
        return [a for d in self.decisions for a in d.actions if isinstance(a, kind)]

    def _obey(self, action: Action) -> None:
        world, result = self.world, ActionResult(action)
        match action:
            case PrepareRelease():
                pass
            case StartCandidate(colour, release):
                world.start(colour, release)
            case StopColour(colour):
                world.stop(colour)
            case ApplyWeights(weights):
                if not world.weights_stick:
                    world.weights = weights
            case ProveCandidate(colour):
                result = replace(result, proof=world.slots[colour].proof)
            case SendProbes(targets):
                tallies = {target.colour: world.slots[target.colour].probed for target in targets}
                result = replace(result, tallies=tallies)
            case Migrate(colour, to, rate, within, share):
                world.migrate(colour, to, within, rate, share)
            case CancelMigration(colour):
                world.slots[colour].moving_to = None
        self.results.append(result)
