"""`isshoni status`: how things stand."""

import asyncio
from typing import Annotated, Any, NoReturn

import typer
from rich.live import Live
from rich.table import Table

from isshoni.cli.context import Context, EnvironmentOption, JsonFlag, open_context, run
from isshoni.cli.output import console, name_release, print_json, table
from isshoni.cli.panel import draw_panel, list_troubles
from isshoni.engine.readings import read_readings
from isshoni.engine.snapshot import show_move, take_snapshot
from isshoni.errors import ExitCode

WATCH_SECONDS = 0.25


def status(
    environment: EnvironmentOption = "local",
    json: JsonFlag = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on showing it until Ctrl-C.")
    ] = False,
) -> None:
    """Show what runs, which version users are on, and the last rollout.

        isshoni status
        isshoni status --watch
        isshoni status --json

    If the journal cannot be written (a full disk), that is printed on stderr.

    Exit codes: 0 the environment is up, 4 it is down, or its state cannot be read.
    """
    with open_context(environment) as context:
        if watch:
            run(_watch(context))
        stand = run(_look(context))
    if json:
        print_json(stand)
    else:
        _show(stand)
    raise SystemExit(ExitCode.OK if stand["up"] else ExitCode.ENVIRONMENT)


async def _look(context: Context) -> dict[str, Any]:
    snapshot = await take_snapshot(context.engine.environment, context.engine.clock.now())
    return {
        "up": await context.place.is_up(),
        "address": context.place.public_url,
        "troubles": list(await context.place.find_troubles()),
        **snapshot,
    }


async def _watch(context: Context) -> NoReturn:
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            stand = await _look(context)
            rollout = stand["rollout"]
            readings = read_readings(context.reports.readings(rollout["id"])) if rollout else []
            live.update(draw_panel({**stand, "move": show_move(readings)}), refresh=True)
            await asyncio.sleep(WATCH_SECONDS)


def _show(stand: dict[str, Any]) -> None:
    console.print(
        f"{stand['address']} is {'[bold green]up[/]' if stand['up'] else '[bold]not up[/]'}"
    )
    if not stand["up"]:
        console.print("`isshoni up` brings it up, or repairs it.")
    if stand["fault"] and stand["up"]:
        console.print(stand["fault"], style="yellow", markup=False)
    if stand["seen"]:
        console.print(_show_colours(stand))
        for line in list_troubles(stand["seen"]):
            console.print(line, style="yellow", markup=False)
        for finding in stand["redis"]:
            console.print(f"Redis: {finding}", style="yellow", markup=False)
    for trouble in stand["troubles"]:
        console.print(trouble, style="yellow", markup=False)
    if stand["rollout"]:
        _show_rollout(stand["rollout"], stand["engine"])


def _show_colours(stand: dict[str, Any]) -> Table:
    columns = (
        "colour",
        "role",
        "version",
        "health",
        "weight",
        "connections",
        "sessions",
        "restarts",
    )
    rows = table("", *columns)
    weights = stand["seen"]["weights_verified"]
    for name, colour in stand["seen"]["colours"].items():
        rows.add_row(
            name,
            _name_role(name, colour, stand["stable"]),
            name_release(colour) or "–",
            _name_health(colour),
            f"{weights[name]} %" if weights else "unknown",
            str(colour["connections"]),
            "–" if colour["sessions"] is None else str(colour["sessions"]),
            str(colour["restarts"]),
        )
    return rows


def _name_role(name: str, colour: dict[str, Any], stable: dict[str, str] | None) -> str:
    if stable and stable["colour"] == name:
        return "stable"
    return "candidate" if colour["release"] else "idle"


def _name_health(colour: dict[str, Any]) -> str:
    if not colour["running"]:
        return colour["last_exit"] or "–"
    return "healthy" if colour["healthy"] else "unhealthy"


def _show_rollout(rollout: dict[str, Any], engine: dict[str, Any] | None) -> None:
    name = f"Rollout {rollout['id']} of [bold]{name_release(rollout)}[/]"
    if rollout["outcome"] != "running":
        console.print(f"{name}: {rollout['outcome'].replace('_', ' ')} ({rollout['reason']})")
        return
    step, back = rollout["step"], rollout["rollback"]
    doing = f"rolling back ({back['reason']})" if back else step["title"]
    console.print(f"{name} is at step {step['number']} of {step['of']}: {doing}")
    if rollout["paused"]:
        console.print(
            f"It is paused by {rollout['paused_by']}: `isshoni resume` goes on", style="yellow"
        )
    if engine:
        console.print(f"{engine['who']} (process {engine['pid']}) is at work: {engine['what']}")
    else:
        console.print(
            "No engine works on it: `isshoni deploy` resumes, `isshoni rollback` reverts."
        )
