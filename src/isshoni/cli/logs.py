"""`isshoni logs`: what a program wrote."""

from typing import Annotated

import typer

from isshoni.cli.context import EnvironmentOption, open_context, run
from isshoni.environments.place import Place


def logs(
    name: Annotated[
        str, typer.Argument(help="Whose: blue, green; locally also balancer, redis, supervisor.")
    ],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000)] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it writes.")] = False,
    environment: EnvironmentOption = "local",
) -> None:
    """Show what a program wrote.

    isshoni logs green
    isshoni logs blue --follow
    isshoni logs green --environment production
    """
    with open_context(environment) as context:
        known = context.place.log_names
        if name not in known:
            hint = f"{name!r} has no log; there are: {', '.join(known)}"
            raise typer.BadParameter(hint, param_hint="NAME")
        run(_show(context.place, name, lines, follow=follow))


async def _show(place: Place, name: str, lines: int, *, follow: bool) -> None:
    print("\n".join(await place.tail_log(name, lines)), flush=True)
    if follow:
        async for line in place.follow_log(name):
            print(line, flush=True)
