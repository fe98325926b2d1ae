"""`isshoni attend`: what the supervisor runs when a rollout has no engine."""

import typer

from isshoni.cli.context import EnvironmentOption, JsonFlag, find_notifiers, open_context, run
from isshoni.cli.output import console, print_json
from isshoni.engine.unattended import attend as attend_rollout
from isshoni.errors import ExitCode


def attend(environment: EnvironmentOption = "local", json: JsonFlag = False) -> None:
    """Report a rollout that no engine works on, and roll it back if configured.

    It notifies `[notifications] urls`. The supervisor of a local environment runs this after
    `[rollout] unattended_seconds`; on AWS a scheduled job can. With `unattended_action =
    "rollback"` the rollout is taken back.

        isshoni attend

    Exit codes: 0 notified, and taken back where that is configured, 7 no rollout stands
    still, 8 the rollback got stuck.
    """
    with open_context(environment) as context:
        settings = context.config.notifications
        notifiers = [*find_notifiers(settings.urls), *context.place.find_notifiers()]
        report = run(attend_rollout(context.engine, notifiers, settings))
    if json:
        print_json({"rolled_back": report and report.to_json()})
    elif report is None:
        console.print("notified; the rollout stands still as it is")
    else:
        console.print(f"notified; {report.release} ended as {report.outcome}")
    back = report is None or report.outcome == "rolled_back"
    raise typer.Exit(ExitCode.OK if back or report is None else report.exit_code)
