"""Companions of a rollout, such as notifications: called at every turn, they only observe."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from isshoni.engine.environment import Clock, Environment
from isshoni.engine.errors import JournalFault
from isshoni.engine.journal import Record, Records
from isshoni.engine.reconciler import OnTurn, TurnReport
from isshoni.rollout.state import Rollout


class Companion(Protocol):
    """An observer of a rollout. What it raises is written into the journal, no more."""

    def see(self, turn: TurnReport) -> None:
        """Handle one turn; the engine waits, so be quick."""

    async def finish(self, rollout: Rollout) -> None:
        """Finish, after the engine has left the rollout, ended or not; bounded."""


class Notes:
    """Writes the faults of companions into the journal."""

    def __init__(self, environment: Environment, clock: Clock) -> None:
        self._records: Records = environment.journal
        self._clock = clock

    def add(self, rollout: Rollout, what: str, why: str) -> None:
        """Add a record; if even that fails, the rollout goes on."""
        record = Record(0, self._clock.now(), rollout.step.number, what, why)
        try:
            self._records.note(rollout.id, record)
        except JournalFault:
            pass


Gather = Callable[[Environment, Notes], Sequence[Companion]]


def no_companions(environment: Environment, notes: Notes) -> Sequence[Companion]:
    """Return no companions."""
    del environment, notes
    return ()


class _Company:
    def __init__(self, companions: Sequence[Companion], notes: Notes) -> None:
        self._companions = companions
        self._notes = notes
        self._rollout: Rollout | None = None
        self._noted: set[str] = set()

    def see(self, turn: TurnReport) -> None:
        self._rollout = turn.rollout
        for companion in self._companions:
            try:
                companion.see(turn)
            except Exception as fault:
                self._note(companion, turn.rollout, fault)

    async def finish(self) -> None:
        if self._rollout is None:
            return
        for companion in self._companions:
            try:
                await companion.finish(self._rollout)
            except Exception as fault:
                self._note(companion, self._rollout, fault)

    def _note(self, companion: Companion, rollout: Rollout, fault: Exception) -> None:
        why = f"{type(companion).__name__}: {type(fault).__name__}: {fault}"
        if why not in self._noted:  # the same fault at every turn is one
            self._noted.add(why)
            self._notes.add(rollout, "companion_fault", why)


@asynccontextmanager
async def accompany(
    environment: Environment, clock: Clock, gather: Gather, on_progress: OnTurn
) -> AsyncIterator[OnTurn]:
    """Run companions for one rollout; yields the function to call each turn."""
    notes = Notes(environment, clock)
    company = _Company(gather(environment, notes), notes)

    def see(turn: TurnReport) -> None:
        company.see(turn)
        on_progress(turn)

    try:
        yield see
    finally:
        await company.finish()
