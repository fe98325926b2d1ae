"""`isshoni plan`: how long a rollout will take, and what it will ask of the machines."""

from dataclasses import asdict
from typing import Annotated

import typer

from isshoni.cli.context import JsonFlag, read_config
from isshoni.cli.output import console, print_json, table
from isshoni.rollout.planner import BackendLimits, Forecast, forecast

_DEFAULTS = BackendLimits()


def plan(
    connections: Annotated[
        int, typer.Option("--connections", "-n", min=0, max=1_000_000_000, help="Live ones.")
    ],
    backends: Annotated[int, typer.Option(min=1, max=100_000, help="Of each colour.")] = 1,
    restores_per_second: Annotated[
        float, typer.Option(min=1, help="What one backend can restore at most (benchmarks).")
    ] = _DEFAULTS.restores_per_second,
    json: JsonFlag = False,
) -> None:
    """Work out a rollout by the configured plan: how long, what rate, what peak.

    Nothing is asked of any environment, and nothing is changed.

        isshoni plan --connections 10000
        isshoni plan --connections 1000000 --backends 200 --json
    """
    settings = read_config().rollout
    limits = BackendLimits(restores_per_second=restores_per_second)
    told = forecast(settings, connections, backends, limits)
    if json:
        summed = {"move_seconds": told.move_seconds, "seconds": told.seconds}
        print_json({**asdict(told), **summed})
        return
    _show(told, settings.migrate_rate_per_second, settings.pace.cpu_ceiling_pct)


def _show(told: Forecast, configured: float, cpu_ceiling_pct: float) -> None:
    console.print(
        f"[bold]{told.connections:,} connections[/] on {told.backends:,} backends a colour"
    )
    rows = table("", "step", "moved", "share", "moving", "watched")
    for step in told.steps:
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
        if told.slowed_by_cpu
        else f"the configured {configured:g} a second"
    )
    console.print(
        f"In all {_in_words(told.seconds)}, {_in_words(told.move_seconds)} of it moving.\n"
        f"Rate: {told.rate_per_second:,.0f} a second and backend, bound by {why}; "
        f"the busiest in its worst second {told.peak_per_second:,.0f}.\n"
        f"At the end the busiest backend holds {told.connections_per_backend:,} connections; "
        f"its CPU peaks at about {told.peak_cpu_pct:.0f} % of a core."
    )
    for warning in told.warnings:
        console.print(f"[yellow]! {warning}[/]")


def _in_words(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
