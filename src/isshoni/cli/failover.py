"""`isshoni failover`: let the other region serve."""

from typing import Annotated

import typer

from isshoni.cli.context import DryRunFlag, EnvironmentOption, JsonFlag, read_config
from isshoni.cli.failover_run import (
    choose_request,
    list_history,
    run_failover,
    send_request,
    show_forecast,
)
from isshoni.cli.regions import with_regions
from isshoni.rollout.failover.steps import Mode


def failover(
    to: Annotated[
        str | None, typer.Option("--to", help="The region that is to serve; default: the other.")
    ] = None,
    planned: Annotated[
        bool,
        typer.Option("--planned", help="Stop the writes of the old region first: nothing is lost."),
    ] = False,
    emergency: Annotated[
        bool,
        typer.Option("--emergency", help="The old region is lost: go on without asking it."),
    ] = False,
    abort: Annotated[
        bool, typer.Option("--abort", help="Let the running failover go back.")
    ] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Pause it, before writes stop.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue it after a pause.")] = False,
    history: Annotated[bool, typer.Option("--history", help="List the last failovers.")] = False,
    environment: EnvironmentOption = "local",
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Let the other region serve, and move all users there.

    Planned, the default while the serving region answers: its writes wait, the standby catches
    up, is promoted, and all sessions move; no connection is cut and nothing is lost. If it does
    not answer, `--emergency` must be given. An unfinished failover is continued. Ctrl-C goes
    back as long as the other region was not allowed to write; a second Ctrl-C leaves it
    unfinished.

        isshoni failover
        isshoni failover --dry-run
        isshoni failover -e production  # two regions on AWS
        isshoni failover --emergency    # the serving region is lost
        isshoni failover --pause        # at another terminal; --resume, --abort
        isshoni failover --history

    Exit codes: 0 the other region serves, 5 it went back, 6 a deploy or failover is running,
    7 refused (nothing was changed), 8 stuck (the reason says how to go on), 130 left unfinished.
    """
    config = read_config()
    if planned and emergency:
        raise typer.BadParameter("--planned and --emergency exclude each other")
    kind = choose_request(abort=abort, pause=pause, resume=resume)
    if history:
        with_regions(config, environment, lambda opened: list_history(opened, json=json))
        return
    if kind is not None and with_regions(
        config, environment, lambda opened: send_request(opened, kind, dry_run=dry_run, json=json)
    ):
        return
    mode: Mode | None = "emergency" if emergency else "planned" if planned else None
    if dry_run:
        with_regions(config, environment, lambda opened: show_forecast(opened, to, mode, json=json))
        return
    run_failover(config, environment, to, mode, json=json)
