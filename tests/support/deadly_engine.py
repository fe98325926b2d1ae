"""`isshoni` with a death wish: kill -9 at each point of a rollout, one point a run.

`python -m tests.support.deadly_engine DIED_AT deploy v2 --json` runs the real command
until it comes to a point that the file DIED_AT does not list, adds it, and is no more.
Run again and again it dies everywhere once: before and after each action on the
environment, after each save of the journal at each step, and around the last one.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from isshoni.cli.main import main
from isshoni.engine import performer
from isshoni.engine.environment import Environment
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.actions import Action
from isshoni.rollout.state import Rollout


class Death:
    """Who comes for it, and the list that she keeps."""

    def __init__(self, died_at: Path) -> None:
        self.died_at = died_at
        self.known = set(died_at.read_text().splitlines()) if died_at.exists() else set()

    def pass_by(self, point: str) -> None:
        if point in self.known:
            return
        with self.died_at.open("a") as listed:
            listed.write(point + "\n")
            listed.flush()
            os.fsync(listed.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


def make_deadly(death: Death) -> None:
    """Let her stand before and after everything that has an effect."""
    perform, save = performer.perform, SqliteJournal.save

    async def deadly_perform(environment: Environment, action: Action) -> performer.ActionOutput:
        death.pass_by(f"before: {action}")
        brought = await perform(environment, action)
        death.pass_by(f"after: {action}")
        return brought

    def deadly_save(self: SqliteJournal, rollout: Rollout, *args: Any, **kwargs: Any) -> int:
        where = "the way back" if rollout.rollback else rollout.step.title
        over = rollout.outcome != "running"
        if over:  # before any other save is where an action before it left off
            death.pass_by(f"before saving: {rollout.outcome}")
        revision = save(self, rollout, *args, **kwargs)
        death.pass_by(f"after saving: {rollout.outcome if over else where}")
        return revision

    performer.perform = deadly_perform
    SqliteJournal.save = deadly_save  # type: ignore[method-assign]


if __name__ == "__main__":
    make_deadly(Death(Path(sys.argv.pop(1))))
    main()
