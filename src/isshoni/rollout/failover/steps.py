"""The steps of a failover: one table for each way, top to bottom."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Mode = Literal["planned", "emergency"]
WhenLate = Literal["back", "stuck", "warn"]


class StepName(StrEnum):
    """What a step does."""

    READ = "read"
    PROVE_STANDBY = "prove_standby"
    BLOCK = "block"
    FENCE = "fence"
    CATCH_UP = "catch_up"
    PROMOTE = "promote"
    OPEN = "open"
    FOLLOW = "follow"
    SWITCH = "switch"
    MOVE = "move"
    VERIFY = "verify"
    UNFENCE = "unfence"
    FOLLOW_AGAIN = "follow_again"


@dataclass(frozen=True)
class Step:
    """One step of a failover."""

    name: StepName
    title: str
    seconds: float
    """How long it may take without progress."""
    when_late: WhenLate
    before_opening: bool = False
    """True if the other region cannot write yet, so that the failover can go back."""
    can_pause: bool = False
    """True if a pause may begin here: no write waits. From the fence until a session has moved,
    its clients' writes do."""


_READ = Step(StepName.READ, "read both regions", 10, "back", before_opening=True, can_pause=True)
_PROVE = Step(
    StepName.PROVE_STANDBY,
    "prove that the standby is ready",
    30,
    "back",
    before_opening=True,
    can_pause=True,
)
_FENCE = Step(StepName.FENCE, "stop the writes of the old region", 10, "back", before_opening=True)
_CATCH_UP = Step(
    StepName.CATCH_UP, "wait until the standby has every write", 10, "back", before_opening=True
)
_PROMOTE = Step(StepName.PROMOTE, "promote the standby's Redis", 5, "back", before_opening=True)
_OPEN = Step(StepName.OPEN, "let the new region write", 30, "stuck")
_FOLLOW = Step(StepName.FOLLOW, "make the old Redis a replica of the new one", 60, "warn")
_SWITCH = Step(StepName.SWITCH, "send new users to the new region", 30, "stuck")
_MOVE = Step(StepName.MOVE, "move live sessions", 60, "stuck")
_VERIFY = Step(StepName.VERIFY, "verify both regions", 30, "stuck")

PLANS: Mapping[str, tuple[Step, ...]] = {
    "planned": (
        _READ,
        _PROVE,
        _FENCE,
        _CATCH_UP,
        _PROMOTE,
        _OPEN,
        _FOLLOW,
        _SWITCH,
        _MOVE,
        _VERIFY,
    ),
    "emergency": (
        Step(StepName.READ, "read both regions", 10, "stuck"),
        Step(StepName.BLOCK, "stop what can be reached of the old region", 10, "stuck"),
        Step(StepName.PROMOTE, "promote the standby's Redis", 20, "stuck"),
        _OPEN,
        _SWITCH,
        _VERIFY,
    ),
    "back": (
        Step(StepName.UNFENCE, "let the old region write again", 30, "stuck"),
        Step(StepName.FOLLOW_AGAIN, "make the standby a replica again", 60, "warn"),
    ),
}
