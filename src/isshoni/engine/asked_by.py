"""Write into the journal who started the engine of a rollout, and from where."""

import os
import socket
from collections.abc import Mapping

from isshoni.engine.companions import Notes
from isshoni.engine.lease import find_user
from isshoni.engine.reconciler import TurnReport
from isshoni.rollout.state import Rollout

VARIABLE = "ISSHONI_ASKED_BY"
"""The dashboard names in it who asked for the command that it starts."""
MAX_CHARACTERS = 200


def find_asker(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return who asked for this command, if another process started it for them."""
    given = "".join(c for c in environ.get(VARIABLE, "") if c.isprintable())
    return given[:MAX_CHARACTERS] or None


class AskedBy:
    """A companion that adds one record for each engine of a rollout: who started it."""

    def __init__(self, notes: Notes, who: str | None) -> None:
        self._notes = notes
        self._who = who or f"{find_user()}@{socket.gethostname()}"
        self._noted: str | None = None

    def see(self, turn: TurnReport) -> None:
        """Add the record at the first turn."""
        rollout = turn.rollout
        if self._noted == rollout.id:
            return
        self._noted = rollout.id
        self._notes.add(rollout, "asked", f"{_name_work(rollout)} asked by {self._who}")

    async def finish(self, rollout: Rollout) -> None:
        """Do nothing: the record is added at the start."""


def _name_work(rollout: Rollout) -> str:
    if rollout.returning:
        return f"rollback to {rollout.release.name}"
    work = "deploy" if rollout.rollback is None else "rollback"
    return f"{work} of {rollout.release.name}"
