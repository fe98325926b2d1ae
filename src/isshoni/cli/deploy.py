"""`isshoni deploy`: deploy a version in twelve steps."""

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
from isshoni.cli.deploy_plan import preview_deploy, show_plan, warn_of_other_program
from isshoni.cli.deploy_report import print_report_path, show_report
from isshoni.cli.lasting_output import LastingOutput, lasting_output
from isshoni.cli.live import show_rollout_live
from isshoni.cli.output import progress
from isshoni.cli.region_option import has_regions, refuse_deploy_during_failover
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
from isshoni.cli.stopped import refuse_stopped
from isshoni.engine import operations
from isshoni.engine.reconciler import Controls
from isshoni.engine.report import RolloutReport
from isshoni.engine.rollout_report.writer import read_last_lines
from isshoni.rollout.model import Release


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

    With two regions and none named: the standby first, at once, as it has no users; then the
    region that serves. If that one does not promote VERSION, the standby is returned too.

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
    wanted = Wanted(command, ready_path, label, cwd, env or (), env_file or (), profile)
    if has_regions(environment):
        from isshoni.cli.region_deploy import deploy_to_regions  # slow to load

        deploy_to_regions(
            environment, version, wanted, drain, force=force, dry_run=dry_run, json=json
        )
        return
    with open_context(environment) as context:
        context = set_drain(context, drain)
        release = choose_release(context, version, wanted, keep=not dry_run)
        if dry_run:
            release, unfinished = run(operations.find_resumable(context.engine, release))
            preview = None if unfinished else run(preview_deploy(context, release))
            show_plan(context, release, unfinished, preview, json=json)
            return
        refuse_stopped(context)
        warn_of_other_program(release, context.journal.read_stable(), progress)
        remember_config(context)
        with lasting_output(context.place.state_dir) as output:
            report = run(_deploy(context, output, release, force=force))
            show_report(report, read_last_lines(context.reports, report), json=json)
            print_report_path(context, report)
    raise typer.Exit(report.exit_code)


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
