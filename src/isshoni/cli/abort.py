"""`isshoni abort`: roll back the running rollout."""

import typer

from isshoni.cli.context import (
    Context,
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    open_context,
    run,
)
from isshoni.cli.deploy_report import show_report
from isshoni.cli.lasting_output import LastingOutput, lasting_output
from isshoni.cli.live import show_rollout_live
from isshoni.cli.output import print_forecast
from isshoni.cli.region_rollout import choose_environment
from isshoni.cli.stopped import refuse_stopped
from isshoni.engine import operations
from isshoni.engine.reconciler import Controls
from isshoni.engine.report import RolloutReport
from isshoni.engine.rollout_report.writer import read_last_lines
from isshoni.engine.snapshot import show_rollout
from isshoni.errors import ExitCode


def abort(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Roll back the running rollout, and show it until all users are on stable again.

    Like `isshoni rollback`, but it does nothing if no rollout is running. With two regions and
    none named, this is about the one in which a rollout runs; so are pause, resume and promote.

        isshoni abort
        isshoni abort --dry-run

    Exit codes: 0 rolled back, 7 no rollout is running, or it is promoted already, 8 stuck (an
    operator must check), 130 interrupted: the rollout is not over. (If the rollout belongs to
    another terminal, Ctrl-C only stops showing it.)
    """
    with open_context(choose_environment(environment)) as context:
        if dry_run:
            rollout = operations.find_abortable(context.engine)
            back = f"{rollout.release.name} back to {rollout.stable.release.name}"
            print_forecast(f"would roll {back}", json=json, rollout=show_rollout(rollout))
            return
        refuse_stopped(context)
        with lasting_output(context.place.state_dir) as output:
            report = run(_abort(context, output))
            show_report(report, read_last_lines(context.reports, report), json=json)
    if report.outcome == "rolled_back":
        raise typer.Exit(ExitCode.OK)
    raise typer.Exit(ExitCode.REFUSED if report.outcome == "promoted" else report.exit_code)


async def _abort(context: Context, output: LastingOutput) -> RolloutReport:
    controls = Controls()
    with show_rollout_live(context, output, controls) as view:
        return await operations.abort(context.engine, controls=controls, on_progress=view.show)
