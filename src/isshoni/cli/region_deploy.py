"""`isshoni deploy` and `isshoni rollback` for both regions of an environment."""

import typer
from rich.text import Text

from isshoni.cli.context import read_config, remember_config, run
from isshoni.cli.deploy_plan import (
    describe_plan,
    preview_deploy,
    print_plan,
    print_preview,
    warn_of_other_program,
)
from isshoni.cli.deploy_report import print_report_path, show_report
from isshoni.cli.lasting_output import LastingOutput, lasting_output
from isshoni.cli.live import show_rollout_live
from isshoni.cli.output import console, print_forecast, print_json, progress, styled
from isshoni.cli.region_pair import OpenRegions, open_pair
from isshoni.cli.regions import find_state_dir
from isshoni.cli.releases import Wanted, choose_release
from isshoni.engine.operations import find_resumable
from isshoni.engine.reconciler import Controls
from isshoni.engine.region_deploy import (
    RegionsReport,
    RegionTarget,
    Work,
    deploy_by_region,
    describe_rollback,
    find_next,
    rollback_by_region,
)
from isshoni.engine.report import RolloutReport
from isshoni.engine.rollout_report.writer import read_last_lines
from isshoni.errors import ExitCode
from isshoni.rollout.model import Release


def deploy_to_regions(
    environment: str,
    version: str,
    wanted: Wanted,
    drain: float | None,
    *,
    force: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Deploy to the standby, then to the region that serves, and exit by the outcome."""
    with open_pair(environment, drain) as opened:
        # In both: the variables of a release are kept by each region.
        releases = [choose_release(c, version, wanted, keep=not dry_run) for c in opened.ordered]
        if dry_run:
            run(_show_plans(opened, releases[0], json=json))
            return
        live = opened.ordered[-1].journal.read_stable()
        warn_of_other_program(releases[-1], live, progress)
        for context in opened.ordered:
            remember_config(context)
        with lasting_output(find_state_dir(read_config(), environment)) as output:
            shown = Shown(opened, output, json=json)
            ended = run(deploy_by_region(opened.pair, releases[0], shown, force=force))
            _print_end(ended, json=json)
    raise typer.Exit(ended.exit_code)


def roll_back_regions(
    environment: str, to: str | None, drain: float | None, *, dry_run: bool, json: bool
) -> None:
    """Roll back the region that serves, then the standby, and exit by the outcome."""
    with open_pair(environment, drain) as opened:
        if dry_run:
            print_forecast(describe_rollback(opened.pair, to), json=json)
            return
        for context in opened.ordered:
            remember_config(context)
        with lasting_output(find_state_dir(read_config(), environment)) as output:
            shown = Shown(opened, output, json=json)
            ended = run(rollback_by_region(opened.pair, shown, to=to))
            _print_end(ended, json=json)
    raise typer.Exit(ExitCode.OK if ended.outcome == "rolled_back" else ended.exit_code)


class Shown:
    """Runs each rollout with its own live view, report and Ctrl-C."""

    def __init__(self, opened: OpenRegions, output: LastingOutput, *, json: bool) -> None:
        self._opened = opened
        self._output = output
        self._json = json

    async def __call__(self, target: RegionTarget, work: Work) -> RolloutReport:
        """Return the report of one rollout, and print it unless JSON is wanted."""
        context = self._opened.contexts[target.name]
        role = "standby" if context.is_standby else "serving"
        progress.print(styled((f"{target.name}, {role}:", "bold")))
        controls = Controls()
        with show_rollout_live(context, self._output, controls) as view:
            report = await work(controls, view.show)
        if not self._json:
            show_report(report, read_last_lines(context.reports, report), json=False)
        print_report_path(context, report)
        return report


def _print_end(ended: RegionsReport, *, json: bool) -> None:
    if json:
        print_json(ended.to_json())
    else:
        console.print(_sum_up(ended))


def _sum_up(ended: RegionsReport) -> Text:
    words = {
        "promoted": ("both regions have the same version", "bold green"),
        "rolled_back": ("rolled back", "bold red"),
        "refused": ("refused", "bold yellow"),
        "stuck": ("stuck, an operator must check", "bold red"),
        "running": ("not over: the same command continues it", "yellow"),
    }[ended.outcome]
    # Of a rollout that was promoted, its own line has said it.
    return styled(words, f": {ended.reason}" if ended.outcome != "promoted" else "")


async def _show_plans(opened: OpenRegions, release: Release, *, json: bool) -> None:
    """Print the steps in each region that the release would be deployed to."""
    release, targets = await find_next(opened.pair, release)
    shown = []
    for target in targets:
        context = opened.contexts[target.name]
        asked, unfinished = await find_resumable(target.engine, release)
        preview = None if unfinished else await preview_deploy(context, asked)
        role = "standby" if context.is_standby else "serving"
        if json:
            plan = {**describe_plan(context, asked, unfinished), "preview": preview}
            shown.append({"region": target.name, "role": role, **plan})
        else:
            console.print(styled((f"{target.name}, {role}:", "bold")))
            print_plan(context, asked, unfinished)
            print_preview(preview)
    if json:
        print_json({"regions": shown})
