"""`isshoni down`: take the environment down."""

from typing import Annotated

import typer

from isshoni.cli.context import DryRunFlag, EnvironmentOption, open_context, run
from isshoni.cli.output import console
from isshoni.engine.operations import hold_lease_to_stop


def down(
    purge: Annotated[
        bool,
        typer.Option(
            help="Delete sessions, logs and history too (a Redis of your own keeps its sessions)."
        ),
    ] = False,
    environment: EnvironmentOption = "local",
    dry_run: DryRunFlag = False,
) -> None:
    """Stop the environment; messages and canvases are kept, unless `--purge` is given.

        isshoni down
        isshoni down --purge   # and delete everything

    Exit codes: 0 it is down, 4 it could not be stopped, 6 an engine is at work on it.
    """
    with open_context(environment) as context:
        if dry_run:
            fate = "delete" if purge else "keep"
            console.print(f"would stop everything and {fate} {context.place.state_dir}")
            return
        # Not under a rollout's feet: whoever holds the lease is named instead.
        with hold_lease_to_stop(context.engine, "down"):
            run(context.place.down())
    if purge:
        run(context.place.purge())
    console.print("down")
