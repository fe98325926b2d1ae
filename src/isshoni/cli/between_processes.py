"""What `evacuate` and `rebalance` share: their environment, their processes, their progress."""

import time

import typer

from isshoni.cli.context import Context
from isshoni.cli.output import progress
from isshoni.engine.errors import NothingToDo
from isshoni.engine.processes import MoveProgress, Processes
from isshoni.plurals import count
from isshoni.rollout.model import Colour

SHOW_SECONDS = 1.0


def find_processes(context: Context) -> Processes:
    """Return the processes of an environment; raises `NothingToDo` if it has none of its own."""
    found = context.place.processes
    if found is None:
        raise NothingToDo(
            "sessions move between processes in local environments only: on AWS the processes of a "
            "slot are its instances, which drain when they are stopped"
        )
    return found


def find_stable_colour(context: Context) -> Colour:
    """Return the colour that serves; raises `NothingToDo` if nothing was deployed."""
    stable = context.journal.read_stable()
    if stable is None:
        raise NothingToDo("nothing is deployed here yet: `isshoni up` first")
    return stable.colour


def refuse_unknown(name: str, known: list[str]) -> None:
    """Raise a usage error unless a process of that name exists."""
    if name not in known:
        there = f"only: {', '.join(known)}" if known else "and none answers: see `isshoni status`"
        raise typer.BadParameter(f"there is no process {name!r}, {there}", param_hint="PROCESS")


class MoveView:
    """Prints the progress of a move on stderr, at most once a second."""

    def __init__(self) -> None:
        self._shown_at = float("-inf")

    def show(self, now: MoveProgress) -> None:
        """Print a line, unless one was printed a moment ago."""
        if time.monotonic() - self._shown_at < SHOW_SECONDS:
            return
        self._shown_at = time.monotonic()
        late = f", {now.closed} closed" if now.closed else ""
        progress.print(
            f"· {now.process}: {count(now.connections, 'connection')} left, {now.moved} moved"
            f"{late}, at most {now.rate_per_second:.0f} a second",
        )
