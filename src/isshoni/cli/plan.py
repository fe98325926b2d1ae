"""`isshoni plan`: forecast how long a rollout takes and what load it causes."""

from dataclasses import asdict
from typing import Annotated

import typer

from isshoni.cli.context import JsonFlag, read_config
from isshoni.cli.output import console, print_json, styled, table
from isshoni.plurals import count
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
    json: JsonFlag = False,
) -> None:
    """Forecast a rollout by the configured plan: its duration, rate and peak load.

    This only calculates: it contacts no environment and changes nothing.

        isshoni plan --connections 10000
        isshoni plan --connections 1000000 --backends 200 --json
    """
    settings = read_config().rollout
    limits = BackendLimits(restores_per_second=restores_per_second)
    result = forecast(settings, connections, backends, limits)
    if json:
        summed = {"move_seconds": result.move_seconds, "seconds": result.seconds}
        print_json({**asdict(result), **summed})
        return
    _show(result, settings.migrate_rate_per_second, settings.pace.cpu_ceiling_pct)


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
