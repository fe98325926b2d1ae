"""`isshoni deploy` and `isshoni rollback` for both regions of the local environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from isshoni.cli.config import Config
from isshoni.cli.context import Context, open_context, read_config, run
from isshoni.cli.deploy_plan import describe_plan, print_plan, warn_of_other_program
from isshoni.cli.deploy_report import print_report_path, show_report
from isshoni.cli.lasting_output import LastingOutput, lasting_output
from isshoni.cli.live import show_rollout_live
from isshoni.cli.output import console, print_forecast, print_json, progress, styled
from isshoni.cli.releases import Wanted, choose_release, set_drain
from isshoni.engine.errors import NothingToDo
from isshoni.engine.operations import find_resumable
from isshoni.engine.reconciler import Controls
from isshoni.engine.region_deploy import (
    RegionPair,
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
from isshoni.environments.local.region_files import find_shared_directory, read_switch
from isshoni.errors import ExitCode
from isshoni.rollout.model import Release


@dataclass(frozen=True)
class OpenRegions:
    """Both regions, opened, by their present role."""

    pair: RegionPair
    contexts: Mapping[str, Context]

    @property
    def ordered(self) -> list[Context]:
        """Return the contexts in the order of a deploy: the standby first."""
        return [self.contexts[self.pair.standby.name], self.contexts[self.pair.serving.name]]


def deploy_to_regions(
    version: str,
    wanted: Wanted,
    drain: float | None,
    *,
    force: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Deploy to the standby, then to the region that serves, and exit by the outcome."""
    with _open_regions(drain) as opened:
        # In both: the variables of a release are kept by each region.
        releases = [choose_release(c, version, wanted, keep=not dry_run) for c in opened.ordered]
        if dry_run:
            run(_show_plans(opened, releases[0], json=json))
            return
        live = opened.ordered[-1].journal.read_stable()
        warn_of_other_program(releases[-1], live, progress)
        with lasting_output(_find_directory()) as output:
            shown = Shown(opened, output, json=json)
            ended = run(deploy_by_region(opened.pair, releases[0], shown, force=force))
            _print_end(ended, json=json)
    raise typer.Exit(ended.exit_code)


def roll_back_regions(to: str | None, drain: float | None, *, dry_run: bool, json: bool) -> None:
    """Roll back the region that serves, then the standby, and exit by the outcome."""
    with _open_regions(drain) as opened:
        if dry_run:
            print_forecast(describe_rollback(opened.pair, to), json=json)
            return
        with lasting_output(_find_directory()) as output:
            shown = Shown(opened, output, json=json)
            ended = run(rollback_by_region(opened.pair, shown, to=to))
            _print_end(ended, json=json)
    raise typer.Exit(ExitCode.OK if ended.outcome == "rolled_back" else ended.exit_code)


@contextmanager
def _open_regions(drain: float | None) -> Iterator[OpenRegions]:
    config = read_config()
    serving, standby = _find_roles(config)
    _check_roles(config, serving)
    with open_context(f"local.{serving}") as ahead, open_context(f"local.{standby}") as behind:
        contexts = {serving: set_drain(ahead, drain), standby: set_drain(behind, drain)}
        targets = {name: RegionTarget(name, c.engine, c.plan) for name, c in contexts.items()}
        pair = RegionPair(targets[standby], targets[serving], lambda: _check_roles(config, serving))
        yield OpenRegions(pair, contexts)


def _find_roles(config: Config) -> tuple[str, str]:
    """Return the region that serves and its standby; raises `NothingToDo`."""
    local = config.environments.local
    serving = read_switch(local)
    if serving is None:
        first = next(iter(local.regions))
        raise NothingToDo(f"no region serves: start one with `isshoni up --region {first}`")
    return serving, next(name for name in local.regions if name != serving)


def _check_roles(config: Config, serving: str) -> None:
    """Raise `NothingToDo` or `LeaseHeld` if another region serves, or is about to."""
    from isshoni.cli.regions import check_failover  # slow to load

    check_failover(config.environments.local)
    now = read_switch(config.environments.local)
    if now != serving:
        raise NothingToDo(f"{now} serves now, no longer {serving}: see `isshoni status`")


def _find_directory() -> Path:
    return find_shared_directory(read_config().environments.local)


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
        role = "standby" if context.is_standby else "serving"
        if json:
            plan = describe_plan(context, asked, unfinished)
            shown.append({"region": target.name, "role": role, **plan})
        else:
            console.print(styled((f"{target.name}, {role}:", "bold")))
            print_plan(context, asked, unfinished)
    if json:
        print_json({"regions": shown})
