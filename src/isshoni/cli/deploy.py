"""`isshoni deploy`: deploy a version in twelve steps."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from isshoni.cli.context import (
    Context,
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    open_context,
    remember_config,
    run,
)
from isshoni.cli.lasting_output import LastingOutput, lasting_output
from isshoni.cli.limits import print_limits, show_limits
from isshoni.cli.live import show_rollout_live
from isshoni.cli.output import console, print_json, progress, styled, table
from isshoni.cli.region_option import refuse_deploy_during_failover
from isshoni.cli.releases import (
    CommandOption,
    CwdOption,
    DrainOption,
    EnvFileOption,
    EnvOption,
    LabelOption,
    ProfileOption,
    ReadyPathOption,
    VersionArgument,
    Wanted,
    choose_release,
    set_drain,
)
from isshoni.engine import operations
from isshoni.engine.errors import NothingToDo
from isshoni.engine.reconciler import Controls
from isshoni.engine.report import RolloutReport
from isshoni.engine.rollout_report.writer import read_last_lines
from isshoni.environments.place import Preview
from isshoni.rollout.model import Release, other
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Outcome, Rollout
from isshoni.rollout.steps import Step, plan_steps


def deploy(
    version: VersionArgument,
    command: CommandOption = None,
    ready_path: ReadyPathOption = None,
    label: LabelOption = None,
    profile: ProfileOption = None,
    cwd: CwdOption = None,
    env: EnvOption = None,
    env_file: EnvFileOption = None,
    drain: DrainOption = None,
    environment: EnvironmentOption = "local",
    force: Annotated[
        bool,
        typer.Option(
            help="Deploy even if the stable version is unhealthy, or could not read what VERSION "
            "writes: for a fix that must go out."
        ),
    ] = False,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Start VERSION beside the old one, test it, move all users to it, stop the old one.

    If anything goes wrong, all users are returned to the old version. An unfinished rollout
    of the same VERSION is resumed. Ctrl-C rolls back; a second Ctrl-C leaves the rollout
    unfinished. If the terminal or pipe is closed, the rollout continues, and its output goes
    to `isshoni logs engine`.

        isshoni deploy v1.1                # the installed Isshoni, labelled v1.1
        isshoni deploy git:feature         # a commit, installed into its own environment
        isshoni deploy ./dist/isshoni-1.2-py3-none-any.whl
        isshoni deploy v2 --command "uvicorn app:app --port {port}" --ready-path /up
        isshoni deploy v2 --command "node server.js {port}" --env-file .env --drain 3600
        isshoni deploy v1.1 --dry-run      # only show the plan

    Exit codes: 0 promoted, 5 rolled back, 6 another rollout holds the environment,
    7 refused (nothing was changed), 8 stuck (an operator must check), 130 left unfinished.
    """
    refuse_deploy_during_failover(environment)
    with open_context(environment) as context:
        context = set_drain(context, drain)
        wanted = Wanted(command, ready_path, label, cwd, env or (), env_file or (), profile)
        release = choose_release(context, version, wanted, keep=not dry_run)
        if dry_run:
            release, unfinished = run(operations.find_resumable(context.engine, release))
            preview = None if unfinished else run(_preview(context, release))
            show_plan(context, release, unfinished, preview, json=json)
            return
        remember_config(context)
        with lasting_output(context.place.state_dir) as output:
            report = run(_deploy(context, output, release, force=force))
            show_report(report, read_last_lines(context.reports, report), json=json)
            print_report_path(context, report)
    raise typer.Exit(report.exit_code)


async def _preview(context: Context, release: Release) -> Preview | None:
    stable = context.journal.read_stable()
    if stable is None:
        return None
    return await context.place.preview_start(other(stable.colour), release)


async def _deploy(
    context: Context, output: LastingOutput, release: Release, *, force: bool
) -> RolloutReport:
    controls = Controls()
    with show_rollout_live(context, output, controls) as view:
        return await operations.deploy(
            context.engine,
            release,
            context.plan,
            force=force,
            controls=controls,
            on_progress=view.show,
        )


def show_plan(
    context: Context,
    release: Release,
    unfinished: Rollout | None,
    preview: Preview | None = None,
    *,
    json: bool,
) -> None:
    """Print the steps that a deploy would do: all, or those left of an unfinished rollout.

    `preview`: what the environment would change for it.
    """
    stable = context.journal.read_stable()
    if stable is None:
        raise NothingToDo("nothing is deployed here yet: `isshoni up` first")
    plan = unfinished.plan if unfinished else context.plan
    steps = unfinished.steps[unfinished.step_index :] if unfinished else plan_steps(plan)
    if json:
        resumes = unfinished and {"id": unfinished.id, "rolls_back": bool(unfinished.rollback)}
        shown = {"release": release, "stable": stable, "resumes": resumes, "steps": steps}
        shown |= show_limits(stable, plan)
        print_json({**shown, "plan": plan.model_dump(), "preview": preview})
        return
    if unfinished is None:
        console.print(
            styled(
                (release.name, "bold"),
                f" would go to {other(stable.colour)}, beside {stable.release.name} on "
                f"{stable.colour}:",
            )
        )
    elif unfinished.rollback is not None:
        console.print(
            f"would finish the rollback of rollout {unfinished.id}, to {stable.release.name} on "
            f"{stable.colour}; deploy {release.name} again after that"
        )
        return
    else:
        step = unfinished.step
        console.print(
            f"would resume rollout {unfinished.id} of {unfinished.release.name} at step "
            f"{step.number}:"
        )
    _list_steps(steps, plan, stable.release)
    print_limits(stable, plan)
    if preview is not None:
        _print_preview(preview)


def _print_preview(preview: Preview) -> None:
    if preview.changes:
        console.print("Terraform would:")
    elif preview.fault is None:
        console.print("Terraform would change nothing.")
    for change in preview.changes:
        console.print(f"  {change}")
    if preview.cost is not None:
        console.print(f"Cost: {preview.cost}.")
    if preview.fault is not None:
        console.print(f"! {preview.fault}", style="yellow")


def _list_steps(steps: Sequence[Step], plan: RolloutPlan, stable: Release) -> None:
    for step in steps:
        bake = f", then watch it for {plan.bake_seconds:g} s" if step.weight is not None else ""
        console.print(f"  {step.number:>2}  {step.phase:<8} {step.title}{bake}")
    if not stable.can_move_clients:
        return
    console.print(
        f"At most {plan.migrate_rate_per_second:g} connections move per second; those that do not "
        f"move by themselves are closed after {plan.drain_timeout_seconds:g} s."
    )


def show_report(report: RolloutReport, last_lines: Sequence[str], *, json: bool) -> None:
    """Print the steps of a rollout on stderr, and its outcome on stdout.

    `last_lines`: what a candidate that was rolled back wrote last.
    """
    if json:
        print_json({**report.to_json(), "log_lines": last_lines})
        return
    steps = table(f"Rollout {report.id}", "", "step", "seconds")
    for step in report.steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
        steps.add_row(str(step.number), step.title, seconds)
    progress.print(steps)
    if last_lines:
        progress.print(f"The last lines of {report.colour}'s log:", style="dim")
        for line in last_lines:
            progress.print(f"  {line}")
    console.print(_sum_up(report))


def print_report_path(context: Context, report: RolloutReport) -> None:
    """Print the path of a rollout's report, if one was written."""
    file = context.reports.html(report.id)
    if report.outcome != "running" and file.is_file():
        progress.print(f"· report: file://{file}", soft_wrap=True)  # a link must stay whole


def _advise(report: RolloutReport) -> str:
    if report.rollback_seconds is not None:
        return "`isshoni rollback` finishes the rollback"
    return f"`isshoni deploy {report.release}` resumes it"


def _sum_up(report: RolloutReport) -> Text:
    seconds = f"{report.seconds:.1f} s, {report.bake_seconds:g} s of which it was watched"
    name = report.release_name
    outcomes: dict[Outcome, tuple[tuple[str, str], str]] = {
        "promoted": ((f"{name} is live", "bold green"), f" on {report.colour}, after {seconds}"),
        "rolled_back": ((f"{name} was rolled back", "bold red"), f": {report.reason}"),
        "refused": (("not started", "bold yellow"), f", nothing was changed: {report.reason}"),
        "stuck": (("stuck", "bold red"), f", an operator must check: {report.reason}"),
        "running": (
            (f"the rollout of {name} is not over", "yellow"),
            f": `isshoni status` shows it; if no engine works on it, {_advise(report)}",
        ),
    }
    clocks = report.rollback_seconds
    if clocks is None or clocks.new_connections is None:
        return styled(*outcomes[report.outcome])
    home = (
        ""
        if clocks.last_session is None
        else f", and had all sessions back after {clocks.last_session:.1f} s"
    )
    return styled(
        *outcomes[report.outcome],
        f"\n{report.previous_release} took new connections again after "
        f"{clocks.new_connections:.1f} s{home}.",
    )
