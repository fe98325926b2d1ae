"""`isshoni status`: show the state of an environment."""

import asyncio
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.live import Live

from isshoni.cli.closed_output import check_output
from isshoni.cli.context import (
    Context,
    EnvironmentOption,
    JsonFlag,
    open_context,
    read_config,
    run,
)
from isshoni.cli.output import (
    console,
    describe_process,
    list_several,
    name_release,
    print_json,
    styled,
    table,
)
from isshoni.cli.panel import draw_panel, list_troubles
from isshoni.cli.region_option import RegionOption, has_regions, name_environment
from isshoni.cli.tables import Rows
from isshoni.engine.readings import read_readings
from isshoni.engine.snapshot import show_move, take_snapshot
from isshoni.errors import ExitCode
from isshoni.rollout.errors import EnvironmentFault

WATCH_SECONDS = 0.25
LOG_SECONDS = 1.0


def status(
    environment: EnvironmentOption = "local",
    region: RegionOption = None,
    json: JsonFlag = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Keep showing it; without a terminal, print changes."),
    ] = False,
) -> None:
    """Show the slots and their versions, health and connections, and the last rollout.

        isshoni status
        isshoni status --watch
        isshoni status --json
        isshoni status --region east

    With two regions, it shows both: role, term, lag and version.

    If the journal cannot be written (the disk is full), a warning is printed on stderr.

    Exit codes: 0 the environment is up, 4 it is down, or its state cannot be read.
    """
    environment = name_environment(environment, region)
    if has_regions(environment):
        from isshoni.cli.regions_status import show_regions  # slow to load

        raise typer.Exit(show_regions(read_config(), environment, json=json))
    with open_context(environment) as context:
        if watch:
            run(_watch(context) if console.is_terminal and not json else _log(context, json=json))
        state = run(_observe(context))
    if json:
        print_json(state)
    else:
        _show(state, environment)
    raise SystemExit(ExitCode.OK if state["up"] else ExitCode.ENVIRONMENT)


async def _observe(context: Context) -> dict[str, Any]:
    snapshot = await take_snapshot(context.engine.environment, context.engine.clock.now())
    return {
        "up": await _is_up(context),
        "standby": context.is_standby,
        "address": context.place.public_url,
        "troubles": list(await context.place.find_troubles()),
        **snapshot,
    }


async def _is_up(context: Context) -> bool:
    """True if it serves users; of a region that stands by, if it could serve them."""
    if not context.is_standby:
        return await context.place.is_up()
    try:
        return any((await context.engine.environment.traffic.observe_health()).values())
    except EnvironmentFault:
        return False


async def _watch(context: Context) -> NoReturn:
    """Redraw the panel in place, for ever."""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            live.update(draw_panel(await _observe_move(context)), refresh=True)
            await asyncio.sleep(WATCH_SECONDS)


async def _log(context: Context, *, json: bool) -> NoReturn:
    """Print the state whenever it has changed, at most once a second: for pipes and files."""
    before: dict[str, Any] = {}
    shown = ""
    while True:
        state = await _observe_move(context)
        if is_changed(before, state):
            before = state
            if json:
                print_json(state, indent=None)
            elif (panel := _render(state)) != shown:
                shown = panel
                sys.stdout.write(panel)
            sys.stdout.flush()
        check_output()
        await asyncio.sleep(LOG_SECONDS)


def _render(state: dict[str, Any]) -> str:
    """Return the panel as text: only some figures of a state are in it."""
    with console.capture() as captured:
        console.print(draw_panel(state, expand=False))
    return captured.get()


def is_changed(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """True if two states differ in more than their time."""
    return {**before, "at": 0} != {**now, "at": 0}


async def _observe_move(context: Context) -> dict[str, Any]:
    state = await _observe(context)
    rollout = state["rollout"]
    readings = read_readings(context.reports.readings(rollout["id"])) if rollout else []
    return {**state, "move": show_move(readings)}


def _show(state: dict[str, Any], environment: str) -> None:
    up = ("up", "bold green") if state["up"] else ("not up", "bold")
    role = ", as the standby: no user is sent there" if state["up"] and state["standby"] else ""
    console.print(styled(f"{state['address']} is ", up, role))
    if not state["up"]:
        named = "" if environment == "local" else f" -e {environment}"
        console.print(f"`isshoni up{named}` starts or repairs it.")
    if state["fault"] and state["up"]:
        console.print(state["fault"], style="yellow")
    if state["seen"]:
        console.print(_show_colours(state))
        if list_several(state["seen"]):
            console.print(_show_processes(list_several(state["seen"])))
        for line in list_troubles(state["seen"]):
            console.print(line, style="yellow")
        for finding in state["redis"]:
            console.print(f"Redis: {finding}", style="yellow")
    for trouble in state["troubles"]:
        console.print(trouble, style="yellow")
    if state["rollout"]:
        _show_rollout(state["rollout"], state["engine"])


def _show_colours(state: dict[str, Any]) -> Rows:
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
    weights = state["seen"]["weights_verified"]
    for name, colour in state["seen"]["colours"].items():
        rows.add_row(
            name,
            _name_role(name, colour, state["stable"]),
            name_release(colour) or "–",
            _name_health(colour),
            f"{weights[name]} %" if weights else "unknown",
            str(colour["connections"]),
            "–" if colour["sessions"] is None else str(colour["sessions"]),
            str(colour["restarts"]),
        )
    return rows


def _show_processes(processes: list[dict[str, Any]]) -> Rows:
    columns = ("process", "pid", "state", "connections", "sessions", "CPU", "restarts")
    rows = table("", *columns)
    for process in processes:
        rows.add_row(
            process["name"],
            str(process["pid"] or "–"),
            describe_process(process),
            str(process["connections"]),
            str(process["sessions"]),
            f"{process['cpu_pct']:.0f} %",
            str(process["restarts"]),
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
    name = (f"Rollout {rollout['id']} of ", (name_release(rollout), "bold"))
    if rollout["outcome"] != "running":
        ended = f": {rollout['outcome'].replace('_', ' ')} ({rollout['reason']})"
        console.print(styled(*name, ended))
        return
    step, back = rollout["step"], rollout["rollback"]
    doing = f"rolling back ({back['reason']})" if back else step["title"]
    console.print(styled(*name, f" is at step {step['number']} of {step['of']}: {doing}"))
    if rollout["paused"]:
        console.print(
            f"It is paused by {rollout['paused_by']}: `isshoni resume` continues it", style="yellow"
        )
    if engine:
        console.print(f"Engine: {engine['what']}, by {engine['who']} (process {engine['pid']})")
    elif back:
        console.print("No engine is working on it: `isshoni rollback` finishes the rollback.")
    else:
        console.print(
            f"No engine is working on it: `isshoni deploy {rollout['release']}` resumes it, "
            "`isshoni rollback` rolls it back."
        )
