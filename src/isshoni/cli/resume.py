"""`isshoni resume`: go on with a rollout that was paused."""

from isshoni.cli.context import EnvironmentOption, JsonFlag
from isshoni.cli.steering import ask_engine


def resume(environment: EnvironmentOption = "local", json: JsonFlag = False) -> None:
    """Go on with the rollout that `isshoni pause` holds.

    (One whose engine died is gone on with by `isshoni deploy` of the same version.)

        isshoni resume

    Exit codes: 0 it goes on, 7 no rollout runs, or it is too late.
    """
    ask_engine("resume", "it goes on", environment=environment, json=json)
