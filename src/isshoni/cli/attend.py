"""`isshoni attend`: report a rollout without an engine, and empty machines that are to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.output import console, print_forecast, print_json, progress
from isshoni.cli.region_option import list_regions
from isshoni.engine.companions import Notes
from isshoni.engine.errors import NothingToDo
from isshoni.engine.snapshot import show_rollout
from isshoni.engine.unattended import attend as attend_rollout
from isshoni.engine.unattended import find_unattended
from isshoni.errors import ExitCode
from isshoni.rollout.errors import EnvironmentFault


def attend(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Report a rollout without an engine, and empty machines that are about to end.

    It notifies `[notifications] urls`. With `unattended_action = "rollback"` it also rolls
    the rollout back. The supervisor of a local environment runs it after `[rollout]
    unattended_seconds`; on AWS a scheduled job has to run it, each minute. There it first moves
    the sessions of machines that a scale-in ends to the others of their slot. With two regions
    and none named, it looks at both.

        isshoni attend

    Exit codes: 0 notified, and rolled back if configured, or machines emptied, 7 neither was to
    be done, 8 the rollback got stuck.
    """
    regions = list_regions(environment)
    if not regions:
        done = _attend(environment, dry_run=dry_run)
        _print(done, dry_run=dry_run, json=json)
        raise typer.Exit(done.exit_code)
    found = _attend_regions(environment, regions, dry_run=dry_run)
    shown = {region: done.shown for region, done in found.items()}
    words = "; ".join(f"{region}: {done.words}" for region, done in found.items())
    code = max(done.exit_code for done in found.values())
    _print(_Attended(words, {"regions": shown}, code), dry_run=dry_run, json=json)
    raise typer.Exit(code)


@dataclass(frozen=True)
class _Attended:
    """What was done in an environment or a region of one; in a dry run, what would be."""

    words: str
    shown: Mapping[str, Any]
    exit_code: ExitCode = ExitCode.OK


def _attend_regions(
    environment: str, regions: Sequence[str], *, dry_run: bool
) -> Mapping[str, _Attended]:
    """Attend each region; raises `NothingToDo` if none needs it."""
    found: dict[str, _Attended] = {}
    reasons: list[str] = []
    faults: list[EnvironmentFault] = []
    for region in regions:
        try:
            found[region] = _attend(f"{environment}.{region}", dry_run=dry_run)
        except (NothingToDo, NoEnvironment) as why:
            reasons.append(f"{region}: {why}")
        except EnvironmentFault as fault:  # a lost region must not hide the other one
            faults.append(fault)
            progress.print(f"{region}: {fault}", style="yellow")
    if faults and not found:
        raise faults[0]
    if not found:
        raise NothingToDo("; ".join(reasons))
    return found


def _print(done: _Attended, *, dry_run: bool, json: bool) -> None:
    if dry_run:
        print_forecast(f"would {done.words}", json=json, **done.shown)
    elif json:
        print_json(done.shown)
    else:
        console.print(done.words)


def _attend(environment: str, *, dry_run: bool) -> _Attended:
    """Attend one environment; raises `NothingToDo` if nothing needs it."""
    with open_context(environment) as context:
        emptied = _empty_machines(context, dry_run=dry_run)
        settings = context.config.notifications
        try:
            rollout = find_unattended(context.engine)
        except NothingToDo:
            if not emptied:
                raise
            machines = {"rolled_back": None, "machines": list(emptied)}
            return _Attended("\n".join(emptied).removeprefix("would "), machines)
        if dry_run:
            then = ", and roll it back" if rollout.plan.unattended_action == "rollback" else ""
            words = f"notify the team of rollout {rollout.id}{then}"
            return _Attended(words, {"rollout": show_rollout(rollout)})
        notifiers = [*find_notifiers(settings.urls), *context.place.find_notifiers()]
        afterwards = _advise_for_regions(environment)
        report = run(attend_rollout(context.engine, notifiers, settings, afterwards=afterwards))
    shown = {"rolled_back": report and report.to_json(), "machines": emptied}
    if report is None:
        return _Attended("notified; the rollout was not changed", shown)
    code = ExitCode.OK if report.outcome == "rolled_back" else report.exit_code
    return _Attended(f"notified; {report.release} ended as {report.outcome}", shown, code)


def _advise_for_regions(environment: str) -> str:
    """Return what to do after a rollback of one of two regions; nothing of an environment."""
    name, _, region = environment.partition(".")
    if not region:
        return ""
    where = "" if name == "local" else f" -e {name}"
    return f"Then `isshoni status{where}` says if both regions have one version, and what to do."


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
