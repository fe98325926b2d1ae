"""The steps of a rollout, in their phases: one table, top to bottom."""

from dataclasses import dataclass
from enum import StrEnum

from isshoni.rollout.plan import RolloutPlan


class Phase(StrEnum):
    """A group of steps, as shown to users."""

    PREPARE = "prepare"
    HEALTH = "health"
    CANARY = "canary"
    MIGRATE = "migrate"
    FINISH = "finish"


class StepName(StrEnum):
    """What a step does; CANARY occurs once for each weight of the plan."""

    READ_STATE = "read_state"
    START_CANDIDATE = "start_candidate"
    WAIT_HEALTHY = "wait_healthy"
    PROVE = "prove"
    CANARY = "canary"
    MIGRATE = "migrate"
    WAIT_STRAGGLERS = "wait_stragglers"
    CONFIRM_EMPTY = "confirm_empty"
    END_OLD = "end_old"
    PROMOTE = "promote"


TABLE: tuple[tuple[StepName, Phase, str], ...] = (
    (StepName.READ_STATE, Phase.PREPARE, "read the present state"),
    (StepName.START_CANDIDATE, Phase.PREPARE, "start the candidate"),
    (StepName.WAIT_HEALTHY, Phase.HEALTH, "wait until it is healthy"),
    (StepName.PROVE, Phase.HEALTH, "prove Redis and real session data"),
    (StepName.CANARY, Phase.CANARY, "canary {weight} %"),
    (StepName.MIGRATE, Phase.MIGRATE, "migrate live sessions"),
    (StepName.WAIT_STRAGGLERS, Phase.MIGRATE, "wait for stragglers"),
    (StepName.CONFIRM_EMPTY, Phase.FINISH, "confirm that the old slot is empty"),
    (StepName.END_OLD, Phase.FINISH, "stop the old version"),
    (StepName.PROMOTE, Phase.FINISH, "promote the candidate"),
)

EXPOSED = frozenset(
    {
        StepName.CANARY,
        StepName.MIGRATE,
        StepName.WAIT_STRAGGLERS,
        StepName.CONFIRM_EMPTY,
        StepName.END_OLD,
    }
)
"""Steps at which clients may be on the candidate and a rollback is still possible."""


@dataclass(frozen=True)
class Step:
    """One step of one plan."""

    number: int
    name: StepName
    phase: Phase
    title: str
    weight: int | None = None
    """The candidate's share of new connections; canary steps only."""


def plan_steps(plan: RolloutPlan) -> tuple[Step, ...]:
    """Return the steps of `plan`: twelve, with the usual three canary weights."""
    rows: list[tuple[StepName, Phase, str, int | None]] = []
    for name, phase, title in TABLE:
        weights = plan.weights if name is StepName.CANARY else (None,)
        rows += [(name, phase, title.format(weight=weight), weight) for weight in weights]
    return tuple(Step(number, *row) for number, row in enumerate(rows, start=1))
