"""A failover as JSON, and its exit code."""

from typing import Any

from isshoni.errors import ExitCode
from isshoni.rollout.failover.model import Failover, Lag
from isshoni.rollout.failover.steps import StepName

_EXIT_CODES = {
    "promoted": ExitCode.OK,
    "back": ExitCode.ROLLED_BACK,
    "stuck": ExitCode.STUCK,
    "running": ExitCode.INTERRUPTED,
}


def find_exit_code(failover: Failover) -> ExitCode:
    """Return the exit code of the command that ran it, as those of `deploy`."""
    if failover.outcome == "back" and not failover.term:
        return ExitCode.REFUSED  # nothing was changed
    return _EXIT_CODES[failover.outcome]


def show_failover(failover: Failover, now: float) -> dict[str, Any]:
    """Return a failover as JSON."""
    ended = failover.ended or now
    return {
        "id": failover.id,
        "mode": failover.mode,
        "from": failover.source,
        "to": failover.target,
        "outcome": failover.outcome,
        "reason": failover.reason or None,
        "began": failover.began,
        "seconds": ended - failover.began,
        "writes_waited_seconds": calculate_pause(failover),
        "missing_at_most": show_lag(failover.missing),
        "term": failover.term,
        "paused_by": failover.paused_by or None,
        "step": {
            "number": min(failover.step_index + 1, len(failover.steps)),
            "of": len(failover.steps),
            "name": failover.step.name,
            "title": failover.step.title,
        },
        "steps": [
            {"name": each.step, "began": each.began, "ended": each.ended}
            for each in failover.timings
        ],
    }


def show_lag(lag: Lag | None) -> dict[str, Any] | None:
    """Return a lag as JSON."""
    return None if lag is None else {"link": lag.link, "bytes": lag.bytes, "seconds": lag.seconds}


def calculate_pause(failover: Failover) -> float | None:
    """Return the seconds in which no region wrote; None unless another one writes now."""
    fences = [each.began for each in failover.timings if each.step is StepName.FENCE]
    opens = [each.ended for each in failover.timings if each.step is StepName.OPEN]
    return opens[-1] - fences[-1] if fences and opens else None
