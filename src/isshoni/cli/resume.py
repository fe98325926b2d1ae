"""`isshoni resume`: continue a paused rollout."""

from isshoni.cli.context import DryRunFlag, EnvironmentOption, JsonFlag
from isshoni.cli.steering import ask_engine


def resume(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Continue the rollout that `isshoni pause` paused.

    (If its engine has died, `isshoni deploy` of the same version continues it.)

        isshoni resume

    Exit codes: 0 it continues, 7 no rollout is running, or it is too late.
    """
    ask_engine("resume", "continues", environment=environment, dry_run=dry_run, json=json)
