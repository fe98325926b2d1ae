"""The errors of the engine, and what an operator can do about each."""

from datetime import datetime

from isshoni.engine.advice import advise_to_continue
from isshoni.engine.lease import Holder
from isshoni.errors import ExitCode, IsshoniError
from isshoni.rollout.model import Release
from isshoni.rollout.state import Rollout


class JournalFault(IsshoniError):
    """The journal could not be read or written."""


class LeaseHeld(IsshoniError):
    """Another engine is at work on this environment."""

    exit_code = ExitCode.LEASE_HELD

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        since = datetime.fromtimestamp(holder.since).astimezone().isoformat(" ", "seconds")
        super().__init__(
            f"this environment is held by {holder.user}@{holder.host} (process {holder.pid}) "
            f"since {since}, doing: {holder.what}. {_advise(holder)}"
        )


def _advise(holder: Holder) -> str:
    watch = "Watch it with `isshoni status`"
    if holder.what.startswith("fail over"):
        return f"{watch}, wait for it, or let it go back with `isshoni failover --abort`"
    if holder.what.startswith("deploy "):
        return f"{watch}, wait for it, or roll it back with `isshoni rollback`"
    return f"{watch}, or wait for it"  # it is short, or cannot be rolled back


class LeaseLost(IsshoniError):
    """This engine was away for too long, and another may have taken over."""

    exit_code = ExitCode.LEASE_HELD

    def __init__(self) -> None:
        super().__init__(
            "this engine lost its lease on the environment (it was stopped for too long) and "
            "changes nothing more; `isshoni status` shows which engine continues"
        )


class UnfinishedRollout(IsshoniError):
    """A rollout of another release was left unfinished."""

    exit_code = ExitCode.REFUSED

    def __init__(self, rollout: Rollout, asked: Release) -> None:
        self.rollout, self.asked = rollout, asked
        left, step = rollout.release, rollout.step
        moved = asked.source is not None and asked.source == left.source
        now = f" ({asked.source} is now {asked.short_content})" if moved else ""
        super().__init__(
            f"rollout {rollout.id} of {left.name} was left at step {step.number} "
            f"({step.title}){now}: {advise_to_continue(rollout)}"
        )


class NothingToDo(IsshoniError):
    """The request does not apply to the present state; nothing was changed."""

    exit_code = ExitCode.REFUSED
