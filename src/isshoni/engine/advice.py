"""Name the command that continues a rollout without an engine."""

from isshoni.rollout.state import Rollout


def advise_to_continue(rollout: Rollout) -> str:
    """Return the command for an unfinished rollout: a rollback cannot become a deploy again."""
    if rollout.rollback is not None:
        return "`isshoni rollback` finishes the rollback"
    label = rollout.release.label
    return f"`isshoni deploy {label}` resumes it, `isshoni rollback` rolls it back"
