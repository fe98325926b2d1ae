"""`isshoni attend`: report a rollout without an engine, and empty machines that are to end."""

from collections.abc import Sequence

import typer

from isshoni.cli.context import (
    Context,
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    find_notifiers,
    open_context,
    run,
)
from isshoni.cli.output import console, print_forecast, print_json
from isshoni.engine.companions import Notes
from isshoni.engine.errors import NothingToDo
from isshoni.engine.snapshot import show_rollout
from isshoni.engine.unattended import attend as attend_rollout
from isshoni.engine.unattended import find_unattended
from isshoni.errors import ExitCode


def attend(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Report a rollout without an engine, and empty machines that are about to end.

    It notifies `[notifications] urls`. With `unattended_action = "rollback"` it also rolls
    the rollout back. The supervisor of a local environment runs it after `[rollout]
    unattended_seconds`; on AWS a scheduled job has to run it, each minute. There it first moves
    the sessions of machines that a scale-in ends to the others of their slot.

        isshoni attend

    Exit codes: 0 notified, and rolled back if configured, or machines emptied, 7 neither was to
    be done, 8 the rollback got stuck.
    """
    with open_context(environment) as context:
        emptied = _empty_machines(context, dry_run=dry_run)
        settings = context.config.notifications
        try:
            rollout = find_unattended(context.engine)
        except NothingToDo:
            if not emptied:
                raise
            _report_emptied(emptied, json=json)
            return
        if dry_run:
            then = ", and roll it back" if rollout.plan.unattended_action == "rollback" else ""
            words = f"would notify the team of rollout {rollout.id}{then}"
            print_forecast(words, json=json, rollout=show_rollout(rollout))
            return
        notifiers = [*find_notifiers(settings.urls), *context.place.find_notifiers()]
        report = run(attend_rollout(context.engine, notifiers, settings))
    if json:
        print_json({"rolled_back": report and report.to_json(), "machines": emptied})
    elif report is None:
        console.print("notified; the rollout was not changed")
    else:
        console.print(f"notified; {report.release} ended as {report.outcome}")
    back = report is None or report.outcome == "rolled_back"
    raise typer.Exit(ExitCode.OK if back or report is None else report.exit_code)


def _empty_machines(context: Context, *, dry_run: bool) -> Sequence[str]:
    """Empty the machines that are about to end; return what was done, or would be."""
    leaving = context.place.leaving
    if leaving is None:
        return ()
    found = run(leaving.find())
    if dry_run or not found:
        return [f"would empty {name}" for name in found]
    done = run(leaving.evacuate(context.plan))
    _note(context, done)
    return done


def _note(context: Context, done: Sequence[str]) -> None:
    """Add to the latest rollout what became of the machines that it left behind."""
    latest = context.journal.read_latest()
    if latest is not None:
        engine = context.engine
        notes = Notes(engine.environment, engine.clock)
        for line in done:
            notes.add(latest.rollout, "machine_emptied", line)


def _report_emptied(emptied: Sequence[str], *, json: bool) -> None:
    if json:
        print_json({"rolled_back": None, "machines": list(emptied)})
    else:
        for line in emptied:
            console.print(line)
