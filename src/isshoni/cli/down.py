"""`isshoni down`: stop the environment."""

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
    """Stop the environment; keep messages and canvases, unless `--purge` is given.

        isshoni down
        isshoni down --purge   # and delete everything

    Exit codes: 0 it is down, 4 it could not be stopped, 6 a rollout is running there.
    """
    with open_context(environment) as context:
        if dry_run:
            fate = "delete" if purge else "keep"
            console.print(f"would stop everything and {fate} {context.place.state_dir}")
            return
        # A running rollout needs the environment: its engine holds the lease.
        with hold_lease_to_stop(context.engine, "down"):
            run(context.place.down())
    if purge:
        run(context.place.purge())
    console.print("down")
