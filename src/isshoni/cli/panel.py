"""Draw the state of an environment as a panel, for `deploy` and `status --watch`."""

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from isshoni.cli.output import describe_process, list_several, name_release, table
from isshoni.cli.tables import Rows
from isshoni.plurals import count

State = dict[str, Any]
"""A snapshot with `move`: the same JSON values that the dashboard shows."""

PHASES = ("prepare", "health", "canary", "migrate", "finish")
_COLOUR_STYLES = {"blue": "blue", "green": "green"}
_VERDICT_STYLES = {"pass": "green", "fail": "bold red", "hold": "yellow", "inconclusive": "dim"}
_BAR = 24


def draw_panel(state: State, *, expand: bool = True) -> RenderableType:
    """Draw phases, step, slots, move and faults in a frame as wide as the terminal.

    Without `expand`, it is as wide as its longest line: a pipe has no width of its own.
    """
    rollout = state["rollout"]
    parts: list[RenderableType] = []
    if rollout:
        parts.append(_draw_phases(rollout))
        parts.append(_draw_step(rollout, state["at"]))
    if state["seen"]:
        parts.append(_draw_colours(state))
        if processes := list_several(state["seen"]):
            parts.append(_draw_processes(processes))
        parts += [Text(line, style="yellow") for line in list_troubles(state["seen"])]
    if rollout and rollout["outcome"] == "running":
        parts += _draw_move(state)
    parts += [Text(line, style="yellow") for line in state.get("troubles", ())]
    if state["fault"]:
        parts.append(Text(state["fault"], style="yellow"))
    return Panel(
        Group(*parts), title=_name(state), title_align="left", border_style="dim", expand=expand
    )


def _name(state: State) -> Text:
    rollout = state["rollout"]
    if rollout is None:
        return Text("nothing was deployed here yet")
    title = Text(name_release(rollout), style="bold")
    if rollout["outcome"] != "running":
        title.append(f" {rollout['outcome'].replace('_', ' ')}", style="not bold")
        return title
    if rollout["rollback"]:
        return title.append(" rolling back", style="bold red")
    paused = f" paused by {rollout['paused_by']}"
    title.append(paused if rollout["paused"] else " deploying", style="not bold")
    return title


def _draw_phases(rollout: dict[str, Any]) -> Text:
    line = Text()
    here = PHASES.index(rollout["phase"])
    promoted = rollout["outcome"] == "promoted"
    for number, phase in enumerate(PHASES):
        if number < here or promoted:
            line.append(f"✓\u00a0{phase}", style="green")
        elif number == here:
            line.append(f"●\u00a0{phase}", style="bold red" if rollout["rollback"] else "bold")
        else:
            line.append(f"○\u00a0{phase}", style="dim")
        line.append("  ")
    return line


def _draw_step(rollout: dict[str, Any], now: float) -> Text:
    step, back = rollout["step"], rollout["rollback"]
    if rollout["outcome"] != "running":
        ended = datetime.fromtimestamp(rollout["ended"]).isoformat(" ", "seconds")
        return Text(f"{ended}  {rollout['reason']}", style="dim")
    line = Text(f"step {step['number']} of {step['of']}: {step['title']}")
    line.append(f"   {now - rollout['began']:.0f} s", style="dim")
    if rollout["bake"]:
        began, seconds = rollout["bake"]
        line.append(f"   baking {min(seconds, max(0, now - began)):.1f} of {seconds:g} s", "dim")
    if back:
        line.append(f"\n↩ {back['reason']}", style="red")
        for words, ended_at in (
            ("new connections on stable", back["new_connections_home"]),
            ("last session on stable", back["last_session_home"]),
        ):
            clock = (ended_at or now) - back["began"]
            line.append(f"\n  {'✓' if ended_at else '…'} {words} {clock:.1f} s")
    return line


def _draw_colours(state: State) -> Rows:
    rows = table("", "", "version", "health", "weight", "connections", "")
    colours = state["seen"]["colours"]
    most = max([1, *(colour["connections"] for colour in colours.values())])
    for name, colour in colours.items():
        style = _COLOUR_STYLES[name]
        bar = "▇" * round(_BAR * colour["connections"] / most)
        rows.add_row(
            Text(name, style=style),
            Text(name_release(colour) or "–"),
            _draw_health(colour),
            _draw_weight(state, name),
            str(colour["connections"]),
            Text(bar, style=style),
        )
    return rows


def _draw_processes(processes: list[dict[str, Any]]) -> Text:
    line = Text(style="dim")
    for process in processes:
        line.append(f"{process['name']} {process['connections']}")
        state = describe_process(process)
        line.append("  " if state == "ready" else f" ({state})  ")
    return line


def list_troubles(seen: dict[str, Any]) -> list[str]:
    """Return a line for each trouble, restart and refusal of the two slots."""
    lines = [f"{n}: {c['trouble']}" for n, c in seen["colours"].items() if c.get("trouble")]
    for name, colour in seen["colours"].items():
        lines += [f"{name}: not running: {side}" for side in colour.get("side_programs_down", ())]
        if colour["running"] and colour["restarts"] and colour["last_exit"]:
            times = count(colour["restarts"], "time")
            lines.append(
                f"{name} was restarted {times}; the last time because: {colour['last_exit']}"
            )
        failures = (colour.get("migration") or {}).get("failures")
        if failures:
            each = [f"{n} {reason.replace('_', ' ')}" for reason, n in sorted(failures.items())]
            lines.append(f"{name}: clients that could not be moved so far: {', '.join(each)}")
        if colour.get("refused_full"):
            refused = count(colour["refused_full"], "connection")
            lines.append(
                f"{name} refused {refused} since it started, because "
                f"it was full (its limit of open files is {colour['open_files_limit'] or 0:.0f})"
            )
    return lines


def _draw_health(colour: dict[str, Any]) -> Text:
    if not colour["running"]:
        return Text(colour["last_exit"] or "–", style="dim")
    return Text("healthy", "green") if colour["healthy"] else Text("unhealthy", "red")


def _draw_weight(state: State, name: str) -> str:
    verified = state["seen"]["weights_verified"]
    rollout = state["rollout"]
    desired = rollout and rollout["weights_desired"]
    shown = f"{verified[name]} %" if verified else "unknown"
    running = rollout and rollout["outcome"] == "running"
    if running and desired and desired != verified:
        return f"{shown} → {desired[name]} %"
    return shown


def _draw_move(state: State) -> list[RenderableType]:
    move = state["move"]
    parts: list[RenderableType] = []
    if move["told"]:
        moved = f"moved {move['moved']} of {move['told']} asked to move, {move['remaining']} remain"
        rate = f", {move['rate_per_second']:g} a second" if move["rate_per_second"] else ""
        late = f", {move['stragglers']} closed (too slow)" if move["stragglers"] else ""
        parts.append(Text(moved + rate + late))
    verdict = move["verdict"]
    if verdict:
        line = Text(verdict["kind"], style=_VERDICT_STYLES.get(verdict["kind"], ""))
        parts.append(line.append(f": {verdict['reason']}", style="dim"))
    return parts
