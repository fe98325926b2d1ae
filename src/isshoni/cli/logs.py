"""`isshoni logs`: what a program wrote."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from isshoni.cli.context import EnvironmentOption, open_context
from isshoni.environments.local.logs import tail
from isshoni.errors import IsshoniError

FOLLOW_SECONDS = 0.2


class Name(StrEnum):
    """The programs of an environment."""

    BLUE = "blue"
    GREEN = "green"
    BALANCER = "balancer"
    REDIS = "redis"
    SUPERVISOR = "supervisor"


def logs(
    name: Annotated[Name, typer.Argument(help="Whose.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000)] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it writes.")] = False,
    environment: EnvironmentOption = "local",
) -> None:
    """Show what a program wrote.

    isshoni logs green
    isshoni logs blue --follow
    """
    with open_context(environment) as context:
        path = context.log_path(name)
    if not path.exists():
        raise IsshoniError(f"{name} has not written anything yet ({path})")
    print("\n".join(tail(path, lines)), flush=True)
    if follow:
        _follow(path)


def _follow(path: Path) -> None:
    with path.open(errors="replace") as log:
        log.seek(0, 2)
        while True:
            if written := log.read():
                print(written, end="", flush=True)
            if path.stat().st_size < log.tell():  # rotated
                log.seek(0)
            time.sleep(FOLLOW_SECONDS)
