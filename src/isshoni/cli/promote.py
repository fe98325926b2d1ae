"""`isshoni promote`: skip the rest of a wait."""

from typing import Annotated

import typer

from isshoni.cli.context import DryRunFlag, EnvironmentOption, JsonFlag
from isshoni.cli.steering import ask_engine


def promote(
    skip_bake: Annotated[
        bool, typer.Option("--skip-bake", help="Skip the rest of this step's bake.")
    ] = False,
    environment: EnvironmentOption = "local",
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Skip the rest of the current bake, or of the wait before the old slot is stopped.

    This concerns the current step only: the next one bakes again. A failing verdict still
    rolls the candidate back, a holding one still holds it, and a pause lasts until
    `isshoni resume`.

        isshoni promote --skip-bake

    Exit codes: 0 skipped, 2 without `--skip-bake`, 7 no rollout or no bake is running.
    """
    if not skip_bake:
        raise typer.BadParameter(
            "a rollout promotes by itself; --skip-bake skips the rest of the current bake",
            param_hint="--skip-bake",
        )
    ask_engine(
        "skip_bake",
        "skips the rest of this wait",
        environment=environment,
        dry_run=dry_run,
        json=json,
    )
