"""Send a request to the running engine, for `pause`, `resume` and `promote`."""

from typing import Any

import typer

from isshoni.cli.context import open_context, run
from isshoni.cli.output import console, print_forecast, print_json
from isshoni.cli.region_rollout import choose_environment
from isshoni.engine.snapshot import show_rollout
from isshoni.engine.steering import Answer, find_steerable, steer
from isshoni.errors import ExitCode
from isshoni.rollout.state import RequestKind, Rollout
from isshoni.rollout.steps import Step


def ask_engine(
    kind: RequestKind, done: str, *, environment: str, dry_run: bool, json: bool
) -> None:
    """Send a request to the engine, print its answer (`done` if it accepts), and exit."""
    with open_context(choose_environment(environment)) as context:
        engine = context.engine
        if dry_run:
            rollout = find_steerable(engine.environment, engine.clock, kind)
            asked = f"would ask the engine to {kind.replace('_', ' the ')}: {_locate(rollout)}"
            print_forecast(asked, json=json, request=kind, rollout=show_rollout(rollout))
            return
        answer = run(steer(engine.environment, engine.clock, kind, engine.name_asker()))
    if json:
        print_json(_as_json(kind, answer))
    else:
        taken = f"{_locate(answer.rollout, answer.step)}: {done}"
        console.print(f"refused: {answer.why}" if answer.refused else taken)
    raise typer.Exit(ExitCode.REFUSED if answer.refused else ExitCode.OK)


def _locate(rollout: Rollout, step: Step | None = None) -> str:
    step = step or rollout.step
    return f"rollout {rollout.id} at step {step.number} ({step.title})"


def _as_json(kind: RequestKind, answer: Answer) -> dict[str, Any]:
    return {
        "request": kind,
        "taken": not answer.refused,
        "why": answer.why,
        "step": {"number": answer.step.number, "title": answer.step.title},
        "rollout": show_rollout(answer.rollout),
    }
