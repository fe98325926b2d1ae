"""`isshoni status`: how things stand."""

from typing import Any

from isshoni.cli.context import Context, EnvironmentOption, JsonFlag, open_context, run
from isshoni.cli.output import console, print_json, table
from isshoni.engine.environment import observe
from isshoni.engine.lease import is_free
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Observation


def status(environment: EnvironmentOption = "local", json: JsonFlag = False) -> None:
    """Show what runs, where people are, and which rollout is under way.

        isshoni status
        isshoni status --json

    Exit codes: 0 the environment is up, 4 it is not.
    """
    with open_context(environment) as context:
        stand = run(gather_status(context))
        if json:
            print_json(stand)
        else:
            _show(stand)
    raise SystemExit(0 if stand["up"] else 4)


async def gather_status(context: Context) -> dict[str, Any]:
    """Read everything that `status` tells, as JSON values and values that become such."""
    seen: Observation | None = None
    fault: str | None = None
    try:
        seen = await observe(context.engine.environment)
    except EnvironmentFault as unseen:
        fault = str(unseen)
    latest = context.journal.read_latest()
    running = latest.rollout if latest and latest.rollout.outcome == "running" else None
    lease = context.journal.read_lease()
    held = lease is not None and not is_free(lease, context.engine.clock.now())
    return {
        "up": seen is not None and any(seen.slots[c].healthy for c in COLOURS),
        "fault": fault,
        "address": context.local.addresses().public,
        "stable": context.journal.read_stable(),
        "seen": seen,
        "rollout": running
        and {
            "id": running.id,
            "release": running.release.label,
            "candidate": running.candidate,
            "step": running.step.number,
            "steps": len(running.steps),
            "title": running.step.title,
            "phase": running.step.phase,
            "wanted": running.wanted,
            "rolling_back": running.rollback is not None,
        },
        "lease": lease.holder if lease and held else None,
    }


def _show(stand: dict[str, Any]) -> None:
    state = "[bold green]up[/]" if stand["up"] else "[bold red]not up[/]"
    console.print(f"{stand['address']} is {state}")
    if stand["fault"]:
        console.print(f"[yellow]{stand['fault']}[/]")
    if stand["seen"] is not None:
        console.print(_table_of(stand["seen"], stand["stable"].colour if stand["stable"] else None))
    if rollout := stand["rollout"]:
        back = ", rolling back" if rollout["rolling_back"] else ""
        console.print(
            f"Rollout {rollout['id']} of [bold]{rollout['release']}[/] is at step "
            f"{rollout['step']} of {rollout['steps']}: {rollout['title']}{back}"
        )
        if stand["lease"] is None:
            console.print(
                "No engine works on it: `isshoni deploy` resumes, `isshoni rollback` reverts."
            )
    if holder := stand["lease"]:
        console.print(f"Held by {holder.who} (process {holder.pid}): {holder.what}")


def _table_of(seen: Observation, stable: str | None) -> Any:
    rows = table(
        "", "colour", "role", "version", "health", "weight", "connections", "sessions", "restarts"
    )
    for colour in COLOURS:
        slot, backend = seen.slots[colour], seen.backends[colour]
        rows.add_row(
            colour,
            "stable" if colour == stable else ("candidate" if slot.release else ""),
            slot.release.label if slot.release else "–",
            "healthy" if slot.healthy else ("unhealthy" if slot.running else "–"),
            f"{seen.weights.of(colour)} %" if seen.weights else "?",
            str(seen.traffic[colour].open_connections),
            str(backend.sessions) if backend else "–",
            str(slot.restarts),
        )
    return rows
