"""`isshoni pause`: hold the rollout where it is."""

from isshoni.cli.context import EnvironmentOption, JsonFlag
from isshoni.cli.steering import ask_engine


def pause(environment: EnvironmentOption = "local", json: JsonFlag = False) -> None:
    """Hold the rollout that runs before its next step, and let nobody else move.

    New connections stay as they are weighted, the candidate is still watched, and a bad
    one is still rolled back. `isshoni resume` goes on.

        isshoni pause

    Exit codes: 0 it is held, 7 no rollout runs, or it is too late to hold it.
    """
    told = "held here; `isshoni resume` goes on, `isshoni abort` takes it back"
    ask_engine("pause", told, environment=environment, json=json)
