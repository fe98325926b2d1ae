"""`isshoni plan`: forecast how long a rollout takes and what load it causes."""

from dataclasses import asdict
from typing import Annotated

import typer

from isshoni.cli.context import EnvironmentOption, JsonFlag, open_context, read_config
from isshoni.cli.limits import print_limits, show_limits
from isshoni.cli.output import console, print_json, styled, table
from isshoni.plurals import count
from isshoni.rollout.model import Stable
from isshoni.rollout.planner import BackendLimits, Forecast, forecast

_DEFAULTS = BackendLimits()


def plan(
    connections: Annotated[
        int,
        typer.Option(
            "--connections", "-n", min=0, max=1_000_000_000, help="Live connections to move."
        ),
    ],
    backends: Annotated[int, typer.Option(min=1, max=100_000, help="Backends of each slot.")] = 1,
    restores_per_second: Annotated[
        float,
        typer.Option(min=1, help="Restores a second that one backend can do (see benchmarks)."),
    ] = _DEFAULTS.restores_per_second,
    environment: EnvironmentOption = "local",
    json: JsonFlag = False,
) -> None:
    """Forecast a rollout by the configured plan: its duration, rate and peak load.

    This only calculates, and changes nothing. If something is deployed here, it also says which
    connections of the live slot cannot be moved and why, and what a rollback would start.

        isshoni plan --connections 10000
        isshoni plan --connections 1000000 --backends 200 --json
    """
    settings = read_config().rollout
    limits = BackendLimits(restores_per_second=restores_per_second)
    result = forecast(settings, connections, backends, limits)
    stable = _find_stable(environment)
    if json:
        summed = {"move_seconds": result.move_seconds, "seconds": result.seconds}
        print_json(
            {**asdict(result), **summed, **(show_limits(stable, settings) if stable else {})}
        )
        return
    _show(result, settings.migrate_rate_per_second, settings.pace.cpu_ceiling_pct)
    if stable is not None:
        print_limits(stable, settings)


def _find_stable(environment: str) -> Stable | None:
    """Return what is live; None without an environment."""
    if environment == "local" and not read_config().environments.local.state_dir.exists():
        return None
    with open_context(environment) as context:
        return context.journal.read_stable()


def _show(result: Forecast, configured: float, cpu_ceiling_pct: float) -> None:
    console.print(
        styled(
            (count(result.connections, "connection"), "bold"),
            f" on {count(result.backends, 'backend')} per slot",
        )
    )
    rows = table("", "step", "moved", "share", "moving", "baking")
    for step in result.steps:
        rows.add_row(
            step.title,
            f"{step.connections:,}",
            f"{step.share_pct:g} %",
            _in_words(step.move_seconds),
            _in_words(step.bake_seconds),
        )
    console.print(rows)
    why = (
        f"the CPU ceiling of {cpu_ceiling_pct:g} %"
        if result.slowed_by_cpu
        else f"the configured {configured:g} a second"
    )
    console.print(
        f"Total: {_in_words(result.seconds)}, of which {_in_words(result.move_seconds)} moving.\n"
        f"Rate: {result.rate_per_second:,.0f} connections a second per backend, limited by {why}; "
        f"at most {result.peak_per_second:,.0f} in one second on the busiest backend.\n"
        f"At the end the busiest backend has "
        f"{count(result.connections_per_backend, 'connection')}; "
        f"its CPU peaks at about {result.peak_cpu_pct:.0f} % of a core."
    )
    for warning in result.warnings:
        console.print(f"! {warning}", style="yellow")


def _in_words(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
