"""`isshoni pause`: pause the running rollout."""

from isshoni.cli.context import DryRunFlag, EnvironmentOption, JsonFlag
from isshoni.cli.steering import ask_engine


def pause(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Pause the running rollout: start no further step, move no further sessions.

    The weights stay as they are. The candidate is still watched, and rolled back if it is
    bad. `isshoni resume` continues the rollout.

        isshoni pause

    Exit codes: 0 paused, 7 no rollout is running, or it is too late to pause it.
    """
    done = "paused; `isshoni resume` continues it, `isshoni abort` rolls it back"
    ask_engine("pause", done, environment=environment, dry_run=dry_run, json=json)
