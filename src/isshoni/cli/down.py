"""`isshoni down`: stop the environment."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from isshoni.cli.context import Context, DryRunFlag, EnvironmentOption, JsonFlag, open_context, run
from isshoni.cli.output import console, print_forecast, print_json, progress
from isshoni.cli.region_option import RegionOption, name_environment
from isshoni.engine.errors import NothingToDo
from isshoni.engine.operations import hold_lease_to_stop
from isshoni.plurals import count


def down(
    purge: Annotated[
        bool,
        typer.Option(
            "--purge",
            help="Delete sessions, logs and history too (a Redis of your own keeps its sessions).",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before --purge deletes.")
    ] = False,
    environment: EnvironmentOption = "local",
    region: RegionOption = None,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Stop the environment; keep messages and canvases, unless `--purge` is given.

    `--purge` says what it would delete, and asks. Without a terminal it needs `--yes`.

        isshoni down
        isshoni down --purge         # and delete everything, after a question
        isshoni down --purge --yes   # without one

    Exit codes: 0 it is down, 4 it could not be stopped, or not everything could be deleted, 6 a
    rollout is running there, 7 the deletion was not confirmed (nothing was changed).
    """
    environment = name_environment(environment, region)
    with open_context(environment) as context:
        found: dict[str, Any] = {"state_dir": str(context.place.state_dir), "purge": purge}
        if dry_run:
            fate = f"delete {_describe(context)}" if purge else f"keep {context.place.state_dir}"
            print_forecast(f"would stop everything and {fate}", json=json, **found)
            return
        if purge and not yes:
            _confirm(_describe(context))
        # A running rollout needs the environment: its engine holds the lease.
        with hold_lease_to_stop(context.engine, "down"):
            run(context.place.down())
    if purge:
        run(context.place.purge())
    if json:
        print_json({"down": True, **found})
    else:
        console.print("down")


def _confirm(what: str) -> None:
    """Ask on the terminal; raises `NothingToDo` if the answer is no, or without a terminal."""
    if not sys.stdin.isatty():
        raise NothingToDo(
            f"--purge would delete {what}. Standard input is no terminal to confirm it on: "
            "run it again with --yes. Nothing was changed"
        )
    progress.print(f"This stops everything and deletes {what}.")
    progress.print("Delete it? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NothingToDo("not confirmed; nothing was changed")


def _describe(context: Context) -> str:
    """Return what a purge deletes: the directory with its size, rollouts and installations."""
    state_dir = context.place.state_dir
    rollouts = count(len(context.journal.list_revisions(10_000)), "rollout")
    releases = count(_count_entries(state_dir / "releases"), "installed version")
    own = context.config.environments.local.redis_url is not None
    users = "logs" if own else "all sessions (messages and canvases), logs"
    return (
        f"{state_dir} ({_measure(state_dir) / 1e6:.1f} MB): {users}, the history of {rollouts}, "
        f"{releases}, ports and secrets"
    )


def _count_entries(directory: Path) -> int:
    return len(list(directory.glob("[!.]*")))


def _measure(directory: Path) -> int:
    """Return the bytes of all files; those that vanish while it looks do not count."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total
