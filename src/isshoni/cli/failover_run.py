"""What `failover` and `failback` share: their run, its view, its report and its requests."""

from datetime import datetime

import typer
from rich.text import Text

from isshoni.cli.config import Config
from isshoni.cli.lasting_output import lasting_output
from isshoni.cli.live import obey_ctrl_c
from isshoni.cli.output import console, print_forecast, print_json, progress, styled, table
from isshoni.cli.regions import RegionsContext, find_state_dir, with_regions
from isshoni.engine.errors import NothingToDo
from isshoni.engine.failover import (
    choose_failback,
    fail_over,
    find_or_begin,
    find_running,
    request,
)
from isshoni.engine.failover_loop import FailoverTurn
from isshoni.engine.failover_report import calculate_pause, find_exit_code, show_failover
from isshoni.engine.lease import is_free
from isshoni.engine.reconciler import Controls
from isshoni.rollout.failover.decide import Event
from isshoni.rollout.failover.model import Failover
from isshoni.rollout.failover.steps import Mode
from isshoni.rollout.state import RequestKind

_MARKS = {
    "step_done": ("✓", "green"),
    "promoted": ("✓", "bold green"),
    "going_back": ("↩", "bold red"),
    "back": ("↩", "bold red"),
    "stuck": ("✗", "bold red"),
    "warning": ("!", "yellow"),
    "fault": ("!", "yellow"),
}


def run_failover(
    config: Config, environment: str, to: str | None, mode: Mode | None, *, json: bool
) -> None:
    """Run a failover, show it, and exit by its outcome."""
    with lasting_output(find_state_dir(config, environment)):
        ended = with_regions(config, environment, lambda opened: _run(opened, to, mode))
        if json:
            print_json(show_failover(ended, ended.ended or ended.began))
        else:
            console.print(_sum_up(ended))
    raise typer.Exit(find_exit_code(ended))


async def _run(opened: RegionsContext, to: str | None, mode: Mode | None) -> Failover:
    controls = Controls()
    with obey_ctrl_c(controls, "failover"):
        return await fail_over(
            opened.engine, to=to, mode=mode, controls=controls, on_turn=_show_turn
        )


def _show_turn(turn: FailoverTurn) -> None:
    for event in turn.events:
        progress.print(_line(event, turn.at - turn.failover.began))


def _line(event: Event, elapsed: float) -> Text:
    mark, style = _MARKS.get(event.what, ("·", "cyan"))
    line = Text(f"{elapsed:7.2f} s  ", style="dim")
    line.append(f"{mark} ", style=style)
    if event.what == "step_done":
        return line.append(str(event.data["title"]), style="bold")
    return line.append(f"{event.what.replace('_', ' ')}: ", style).append(event.why, "default")


def _sum_up(ended: Failover) -> Text:
    after = f", after {(ended.ended or ended.began) - ended.began:.1f} s"
    if (pause := calculate_pause(ended)) is not None:
        after += f"; writes waited for at least {pause:.2f} s"
    if ended.missing is not None:
        after += f"; {ended.target} lacked at most: {ended.missing}"
    warned = f"\nBut: {ended.reason}" if ended.reason else ""
    words = {
        "promoted": ((f"{ended.target} serves", "bold green"), f"{after}{warned}"),
        "back": ((f"{ended.source} serves as before", "bold red"), f": {ended.reason}"),
        "stuck": (("stuck", "bold red"), f", an operator must check: {ended.reason}"),
        "running": (("the failover is not over", "yellow"), ": `isshoni failover` continues it"),
    }
    return styled(*words[ended.outcome])


def choose_request(*, abort: bool, pause: bool, resume: bool) -> RequestKind | None:
    """Return the request that the options name; raises a usage error for several."""
    kinds: dict[RequestKind, bool] = {"abort": abort, "pause": pause, "resume": resume}
    asked = [kind for kind, given in kinds.items() if given]
    if len(asked) > 1:
        raise typer.BadParameter("--abort, --pause and --resume exclude each other")
    return asked[0] if asked else None


async def send_request(
    opened: RegionsContext, kind: RequestKind, *, dry_run: bool, json: bool
) -> bool:
    """Send a request to the running engine; False if there is none, and this command goes on."""
    engine = opened.engine
    running = find_running(engine.journal, kind)
    if dry_run:
        words = f"would ask the engine of failover {running.id} to {kind}"
        print_forecast(words, json=json, request=kind)
        return True
    has_engine = not is_free(engine.journal.read_lease(), engine.clock.now())
    if not has_engine and kind == "pause":
        raise NothingToDo("no engine works on it: `isshoni failover` continues it")
    request(engine, kind)
    if not has_engine:
        return False
    words = f"asked the engine of failover {running.id} to {kind}"
    if json:
        print_json({"request": kind, "failover": running.id})
    else:
        console.print(words)
    return True


async def find_failback(opened: RegionsContext) -> str | None:
    """Return the region to return to; None if an unfinished failover is finished first."""
    return choose_failback(opened.engine)


async def show_forecast(
    opened: RegionsContext, to: str | None, mode: Mode | None, *, json: bool
) -> None:
    """Print what a failover would do."""
    saved = await find_or_begin(opened.engine, to, mode)
    its = saved.failover
    verb = "continue" if saved.revision else "begin"
    titles = [step.title for step in its.steps[its.step_index :]]
    lines = [f"would {verb} the {its.mode} failover from {its.source} to {its.target}:"]
    lines += [f"  {number:>2}  {title}" for number, title in enumerate(titles, 1)]
    shown = show_failover(its, its.began)
    print_forecast("\n".join(lines), json=json, failover=shown, steps=titles)


async def list_history(opened: RegionsContext, *, json: bool) -> None:
    """Print the last failovers, newest first."""
    found = opened.engine.journal.list_failovers(20)
    if json:
        print_json([show_failover(each, opened.engine.clock.now()) for each in found])
        return
    rows = table("", "began", "mode", "from", "to", "outcome", "seconds", "reason")
    for each in found:
        began = datetime.fromtimestamp(each.began).isoformat(" ", "seconds")
        seconds = "" if each.ended is None else f"{each.ended - each.began:.1f}"
        rows.add_row(began, each.mode, each.source, each.target, each.outcome, seconds, each.reason)
    console.print(rows)
