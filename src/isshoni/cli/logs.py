"""`isshoni logs`: show the log of a program."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from isshoni.cli.closed_output import check_output
from isshoni.cli.context import EnvironmentOption, open_context, run
from isshoni.cli.lasting_output import LOG_NAME, find_log
from isshoni.environments.local.log_follower import follow as follow_file
from isshoni.environments.local.logs import tail
from isshoni.environments.place import Place
from isshoni.rollout.errors import EnvironmentFault

_CHECK_SECONDS = 1.0


def logs(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Program: blue, green; locally also balancer, redis, supervisor. `engine`: "
            "output of deploys on this machine after their terminal was closed.",
        ),
    ],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000)] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines.")
    ] = False,
    environment: EnvironmentOption = "local",
) -> None:
    """Show the last lines of a program's log.

    isshoni logs green
    isshoni logs blue --follow
    isshoni logs green --environment production
    """
    with open_context(environment) as context:
        known = (*context.place.log_names, LOG_NAME)
        if name not in known:
            hint = f"there is no log of {name!r}, only of: {', '.join(known)}"
            raise typer.BadParameter(hint, param_hint="NAME")
        run(_show(context.place, name, lines, follow=follow))


async def _show(place: Place, name: str, lines: int, *, follow: bool) -> None:
    own = find_log(place.state_dir)
    if name == LOG_NAME and not own.exists():
        raise EnvironmentFault(f"no deploy has lost its terminal here yet: there is no {own}")
    last = tail(own, lines) if name == LOG_NAME else await place.tail_log(name, lines)
    print("\n".join(last), flush=True)
    if follow:
        coming = follow_file(own) if name == LOG_NAME else place.follow_log(name)
        printing = asyncio.create_task(_print_lines(coming))
        try:
            while not printing.done():
                check_output()  # a log may stay quiet for hours
                await asyncio.wait([printing], timeout=_CHECK_SECONDS)
            printing.result()
        finally:
            printing.cancel()


async def _print_lines(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        print(line, flush=True)
