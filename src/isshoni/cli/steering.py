"""What `pause`, `resume` and `promote` have in common: ask, and show the answer."""

from typing import Any

import typer

from isshoni.cli.context import open_context, run
from isshoni.cli.output import console, print_json
from isshoni.engine.snapshot import show_rollout
from isshoni.engine.steering import Answer, steer
from isshoni.errors import ExitCode
from isshoni.rollout.state import RequestKind


def ask_engine(kind: RequestKind, told: str, *, environment: str, json: bool) -> None:
    """Ask the engine that works on the rollout, print what it says, and exit."""
    with open_context(environment) as context:
        engine = context.engine
        answer = run(steer(engine.environment, engine.clock, kind, engine.name_asker()))
    if json:
        print_json(_as_json(kind, answer))
    else:
        step = answer.rollout.step
        where = f"rollout {answer.rollout.id} at step {step.number} ({step.title})"
        console.print(f"not taken, {answer.why}" if answer.refused else f"{where}: {told}")
    raise typer.Exit(ExitCode.REFUSED if answer.refused else ExitCode.OK)


def _as_json(kind: RequestKind, answer: Answer) -> dict[str, Any]:
    return {
        "request": kind,
        "taken": not answer.refused,
        "why": answer.why,
        "rollout": show_rollout(answer.rollout),
    }
