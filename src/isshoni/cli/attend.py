"""`isshoni attend`: report a rollout without an engine; the supervisor runs it."""

import typer

from isshoni.cli.context import (
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    find_notifiers,
    open_context,
    run,
)
from isshoni.cli.output import console, print_forecast, print_json
from isshoni.engine.snapshot import show_rollout
from isshoni.engine.unattended import attend as attend_rollout
from isshoni.engine.unattended import find_unattended
from isshoni.errors import ExitCode


def attend(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Report a rollout without an engine, and roll it back if configured.

    It notifies `[notifications] urls`. With `unattended_action = "rollback"` it also rolls
    the rollout back. The supervisor of a local environment runs it after `[rollout]
    unattended_seconds`; on AWS a scheduled job can run it.

        isshoni attend

    Exit codes: 0 notified, and rolled back if configured, 7 no rollout is without an
    engine, 8 the rollback got stuck.
    """
    with open_context(environment) as context:
        settings = context.config.notifications
        if dry_run:
            rollout = find_unattended(context.engine)
            then = ", and roll it back" if rollout.plan.unattended_action == "rollback" else ""
            words = f"would notify the team of rollout {rollout.id}{then}"
            print_forecast(words, json=json, rollout=show_rollout(rollout))
            return
        notifiers = [*find_notifiers(settings.urls), *context.place.find_notifiers()]
        report = run(attend_rollout(context.engine, notifiers, settings))
    if json:
        print_json({"rolled_back": report and report.to_json()})
    elif report is None:
        console.print("notified; the rollout was not changed")
    else:
        console.print(f"notified; {report.release} ended as {report.outcome}")
    back = report is None or report.outcome == "rolled_back"
    raise typer.Exit(ExitCode.OK if back or report is None else report.exit_code)
