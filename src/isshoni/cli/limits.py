"""Print what a deploy cannot do: for `plan` and `deploy --dry-run`."""

from typing import Any

from isshoni.cli.output import console
from isshoni.rollout.limits import describe_return, list_unmovable
from isshoni.rollout.model import Stable
from isshoni.rollout.plan import RolloutPlan


def show_limits(stable: Stable, plan: RolloutPlan) -> dict[str, Any]:
    """Return which connections of the stable slot cannot be moved, and what a rollback starts."""
    unmovable = list_unmovable(stable.colour, stable.release, plan.drain_timeout_seconds)
    return {"cannot_be_moved": unmovable, "rollback": describe_return(stable.release)}


def print_limits(stable: Stable, plan: RolloutPlan) -> None:
    """Print what `show_limits` returns."""
    limits = show_limits(stable, plan)
    if limits["cannot_be_moved"]:
        console.print("What cannot be moved:")
    for line in limits["cannot_be_moved"]:
        console.print(f"  · {line}")
    if limits["rollback"]:
        console.print(limits["rollback"])
