"""`isshoni rollback`: back to the stable version, or to the one before."""

from isshoni.cli.context import Context, DryRunFlag, EnvironmentOption, JsonFlag, open_context, run
from isshoni.cli.deploy import say_where, show_report
from isshoni.cli.live import RolloutView, obey_ctrl_c
from isshoni.cli.output import console
from isshoni.engine import operations
from isshoni.engine.errors import NothingToDo
from isshoni.engine.reconciler import Controls
from isshoni.engine.report import RolloutReport
from isshoni.errors import ExitCode


def rollback(
    environment: EnvironmentOption = "local",
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Bring everybody back: out of the rollout that runs, or to the version before.

    A rollout in another terminal is asked to turn back, and followed until it has. One
    whose engine died is taken over. When none runs, the previous version is deployed.

        isshoni rollback
        isshoni rollback --dry-run

    Exit codes: 0 people are on the version that you wanted back, 7 there is nothing to go
    back to, 8 stuck (a person must look).
    """
    with open_context(environment) as context:
        if dry_run:
            console.print(_describe(context))
            return
        report = run(_rollback(context))
        show_report(report, json=json)
        say_where(context, report)
    back = report.outcome == "rolled_back"
    raise SystemExit(ExitCode.OK if back else report.exit_code)


async def _rollback(context: Context) -> RolloutReport:
    controls = Controls()
    with RolloutView() as view, obey_ctrl_c(controls):
        return await operations.rollback(
            context.engine, plan=context.plan, controls=controls, on_progress=view.show
        )


def _describe(context: Context) -> str:
    latest = context.journal.read_latest()
    if latest and latest.rollout.outcome == "running":
        rollout = latest.rollout
        return f"would take {rollout.release.label} back, to {rollout.stable.release.label}"
    previous = context.journal.read_previous()
    if previous is None:
        raise NothingToDo("there is no rollout to take back, and no release before this one")
    return f"would deploy {previous.release.label} again, at once to everybody"
