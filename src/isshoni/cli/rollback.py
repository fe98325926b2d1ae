"""`isshoni rollback`: return to the stable version, or to the one before it."""

from typing import Annotated

import typer

from isshoni.cli.context import (
    Context,
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    open_context,
    remember_config,
    run,
)
from isshoni.cli.deploy_report import print_report_path, show_report
from isshoni.cli.lasting_output import LastingOutput, lasting_output
from isshoni.cli.live import show_rollout_live
from isshoni.cli.output import print_forecast
from isshoni.cli.region_option import has_regions, refuse_deploy_during_failover
from isshoni.cli.releases import DrainOption, set_drain
from isshoni.cli.stopped import refuse_stopped
from isshoni.engine import operations
from isshoni.engine.reconciler import Controls
from isshoni.engine.report import RolloutReport
from isshoni.engine.rollout_report.writer import read_last_lines
from isshoni.errors import ExitCode


def rollback(
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Return to this version instead: a label, the first digits of a commit or digest, "
            "or the id of the rollout that deployed it (`isshoni history`).",
        ),
    ] = None,
    environment: EnvironmentOption = "local",
    drain: DrainOption = None,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Roll back the running rollout, or else return all users to the previous version.

    A rollout in another terminal is asked to roll back, and shown until it has. One whose
    engine died is taken over. If none is running, the previous version is deployed again,
    with exactly the content it had. A second rollback goes one version further back. With two
    regions and none named, both are returned: the one that serves first.

        isshoni rollback
        isshoni rollback --to v1.0
        isshoni rollback --dry-run

    Exit codes: 0 all users are on that version, 7 there is no version to return to,
    8 stuck (an operator must check), 130 interrupted: the rollout is not over. (If the rollout
    belongs to another terminal, Ctrl-C only stops showing it.)
    """
    if has_regions(environment):
        from isshoni.cli.region_deploy import roll_back_regions  # slow to load

        roll_back_regions(environment, to, drain, dry_run=dry_run, json=json)
        return
    refuse_deploy_during_failover(environment)
    with open_context(environment) as context:
        context = set_drain(context, drain)
        if dry_run:
            print_forecast(_describe(context, to), json=json)
            return
        refuse_stopped(context)
        remember_config(context)
        with lasting_output(context.place.state_dir) as output:
            report = run(_rollback(context, output, to))
            show_report(report, read_last_lines(context.reports, report), json=json)
            print_report_path(context, report)
    back = report.outcome == "rolled_back"
    raise SystemExit(ExitCode.OK if back else report.exit_code)


async def _rollback(context: Context, output: LastingOutput, to: str | None) -> RolloutReport:
    controls = Controls()
    with show_rollout_live(context, output, controls) as view:
        return await operations.rollback(
            context.engine, to=to, plan=context.plan, controls=controls, on_progress=view.show
        )


def _describe(context: Context, to: str | None) -> str:
    latest = context.journal.read_latest()
    if latest and latest.rollout.outcome == "running" and to is None:
        rollout = latest.rollout
        if rollout.returning:
            return f"would wait until {rollout.release.name} is rolled back: it is running already"
        return f"would roll {rollout.release.name} back to {rollout.stable.release.name}"
    release = operations.choose_return(context.journal, to)
    return f"would deploy {release.name} again, to all users at once"
