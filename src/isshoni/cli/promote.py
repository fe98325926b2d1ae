"""`isshoni promote`: wait no longer at this step."""

from typing import Annotated

import typer

from isshoni.cli.context import EnvironmentOption, JsonFlag
from isshoni.cli.steering import ask_engine


def promote(
    skip_bake: Annotated[
        bool, typer.Option("--skip-bake", help="Watch this canary step no longer.")
    ] = False,
    environment: EnvironmentOption = "local",
    json: JsonFlag = False,
) -> None:
    """Skip what is left of the present bake, or of keeping the old colour warm.

    Only of this step: the next one bakes again. A verdict that fails the candidate still
    rolls it back, one that holds it still holds it, and a pause stays until `isshoni resume`.

        isshoni promote --skip-bake

    Exit codes: 0 taken, 2 without `--skip-bake`, 7 no rollout runs, or nothing bakes now.
    """
    if not skip_bake:
        raise typer.BadParameter(
            "a rollout promotes itself; say --skip-bake to wait no longer at this step",
            param_hint="--skip-bake",
        )
    ask_engine("skip_bake", "waits no longer here", environment=environment, json=json)
