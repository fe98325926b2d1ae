"""`isshoni history`: list the rollouts, or the records of one."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated

import typer

from isshoni.cli.context import Context, EnvironmentOption, JsonFlag, open_context
from isshoni.cli.output import console, print_json, table
from isshoni.cli.region_option import list_regions
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

    With two regions and none named: of both.

    isshoni history
    isshoni history 20261122-101500-a1b2
    isshoni history --json --limit 100
    """
    regions = list_regions(environment)
    with ExitStack() as stack:
        contexts = {
            region: stack.enter_context(open_context(f"{environment}.{region}"))
            for region in regions
        } or {"": stack.enter_context(open_context(environment))}
        if rollout_id is None:
            _show_rollouts(contexts, limit, json=json)
        else:
            _show_records(_find_owner(contexts, rollout_id), rollout_id, json=json)


def _find_owner(contexts: Mapping[str, Context], rollout_id: str) -> Context:
    """Return the region that a rollout was in; the last one if it was in none."""
    for context in contexts.values():
        if context.journal.read_rollout(rollout_id) is not None:
            break
    return context


def _show_rollouts(contexts: Mapping[str, Context], limit: int, *, json: bool) -> None:
    reports = [
        (region, report)
        for region, context in contexts.items()
        for report in list_history(context.engine.environment, context.engine.clock.now(), limit)
    ]
    reports = sorted(reports, key=lambda each: each[1].began, reverse=True)[:limit]
    if json:
        print_json([_name(region) | report.to_json() for region, report in reports])
        return
    region_column = [] if "" in contexts else ["region"]
    columns = ["began", "kind", "version", "colour", "outcome", "seconds", "reason"]
    rows = table("Rollouts", *region_column, "id", *columns)
    for region, report in reports:
        began = _time(report.began)
        rows.add_row(
            *_name(region).values(),
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


def _name(region: str) -> dict[str, str]:
    return {"region": region} if region else {}


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
