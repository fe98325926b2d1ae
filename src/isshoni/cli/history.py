"""`isshoni history`: list the rollouts, or the records of one."""

from datetime import datetime
from typing import Annotated

import typer

from isshoni.cli.context import Context, EnvironmentOption, JsonFlag, open_context
from isshoni.cli.output import console, print_json, table
from isshoni.engine.errors import NothingToDo
from isshoni.engine.report import report_rollout
from isshoni.engine.snapshot import list_history


def history(
    rollout_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Show each record of this rollout.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 20,
    environment: EnvironmentOption = "local",
    json: JsonFlag = False,
) -> None:
    """List the last rollouts, or everything that happened in one.

    isshoni history
    isshoni history 20261122-101500-a1b2
    isshoni history --json --limit 100
    """
    with open_context(environment) as context:
        if rollout_id is None:
            _show_rollouts(context, limit, json=json)
        else:
            _show_records(context, rollout_id, json=json)


def _show_rollouts(context: Context, limit: int, *, json: bool) -> None:
    reports = list_history(context.engine.environment, context.engine.clock.now(), limit)
    if json:
        print_json([report.to_json() for report in reports])
        return
    rows = table(
        "Rollouts", "id", "began", "kind", "version", "colour", "outcome", "seconds", "reason"
    )
    for report in reports:
        began = _time(report.began)
        rows.add_row(
            report.id,
            began,
            "rollback" if report.returning else "deploy",
            report.release_name,
            report.colour,
            report.outcome,
            f"{report.seconds:.1f}",
            report.reason,
        )
    console.print(rows if reports else "nothing was deployed here yet")


def _show_records(context: Context, rollout_id: str, *, json: bool) -> None:
    saved = context.journal.read_rollout(rollout_id)
    if saved is None:
        raise NothingToDo(f"there is no rollout {rollout_id!r}; `isshoni history` lists their ids")
    records = context.journal.read_records(rollout_id)
    if json:
        report = report_rollout(saved.rollout, context.engine.clock.now())
        print_json({"report": report.to_json(), "records": records})
        return
    rows = table(
        f"Rollout {rollout_id} of {saved.rollout.release.name}", "at", "step", "what", "why"
    )
    for record in records:
        rows.add_row(_time(record.at, "milliseconds"), str(record.step), record.what, record.why)
    console.print(rows)


def _time(at: float, detail: str = "seconds") -> str:
    return datetime.fromtimestamp(at).isoformat(" ", detail)
