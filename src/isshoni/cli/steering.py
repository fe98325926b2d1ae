"""Send a request to the running engine, for `pause`, `resume` and `promote`."""

from typing import Any

import typer

from isshoni.cli.context import open_context, run
from isshoni.cli.output import console, print_json
from isshoni.engine.snapshot import show_rollout
from isshoni.engine.steering import Answer, steer
from isshoni.errors import ExitCode
from isshoni.rollout.state import RequestKind


def ask_engine(kind: RequestKind, done: str, *, environment: str, json: bool) -> None:
    """Send a request to the engine, print its answer (`done` if it accepts), and exit."""
    with open_context(environment) as context:
        engine = context.engine
        answer = run(steer(engine.environment, engine.clock, kind, engine.name_asker()))
    if json:
        print_json(_as_json(kind, answer))
    else:
        step = answer.step
        where = f"rollout {answer.rollout.id} at step {step.number} ({step.title})"
        console.print(f"refused: {answer.why}" if answer.refused else f"{where}: {done}")
    raise typer.Exit(ExitCode.REFUSED if answer.refused else ExitCode.OK)


def _as_json(kind: RequestKind, answer: Answer) -> dict[str, Any]:
    return {
        "request": kind,
        "taken": not answer.refused,
        "why": answer.why,
        "step": {"number": answer.step.number, "title": answer.step.title},
        "rollout": show_rollout(answer.rollout),
    }
