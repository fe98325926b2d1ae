"""The record of a rollout's present step: one class for each kind of step.

A record is made when its step begins and is dropped, with its clocks, when the step ends.
So the state of one step cannot be mistaken for that of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from isshoni.rollout.analysis.samples import Counts
from isshoni.rollout.clocks import Clocks, Condition, delay_clock
from isshoni.rollout.model import Proof
from isshoni.rollout.steps import StepName


@dataclass(frozen=True)
class Look:
    """What one look was worth as evidence."""

    lost_seconds: float
    """The time since the look before that gave no evidence, with what it took away."""
    unseen: bool
    """True if the engine could not judge in that time."""
    silent: bool
    """True if the candidate alone is the reason: it does not serve, or does not answer."""


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """The fields that every step has."""

    began: float
    """When this engine reached the step; timeouts use `clocks` instead."""
    clocks: Clocks = field(default_factory=dict)
    """How long each condition that the step waits for has been false."""
    asked: Mapping[str, float] = field(default_factory=dict)
    """The actions asked for in this step, and when."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """What failed last, by action."""

    def resume(self, now: float) -> Self:
        """Return the record for an engine that takes over; time without one does not count."""
        return replace(self, began=now, clocks={}, asked={})

    def count_look(self, look: Look, now: float) -> Self:
        """Return the record after a look at the candidate. Only a bake waits for evidence."""
        return self


@dataclass(frozen=True, kw_only=True)
class ReadingState(StepRecord):
    """Step 1."""


@dataclass(frozen=True, kw_only=True)
class Starting(StepRecord):
    """Step 2."""

    prepared: bool = False
    """True if the release is installed."""


@dataclass(frozen=True, kw_only=True)
class AwaitingHealth(StepRecord):
    """Step 3."""


@dataclass(frozen=True, kw_only=True)
class Proving(StepRecord):
    """Step 4."""

    proof: Proof | None = None
    """The candidate's last answer: what it could read."""


@dataclass(frozen=True, kw_only=True)
class Baking(StepRecord):
    """Steps 5–7, each with a record of its own."""

    bake_began: float | None = None
    """When the weight was applied and the share had moved, later by the time that gave no
    evidence since; None if they are not."""
    baseline: Counts | None = None
    """The candidate's counters when the step's weight was first verified."""
    probes_underway: bool = False
    """True if a round of probes was started in this step and has not ended yet."""
    skip_bake: bool = False
    """True if a user asked to wait no longer."""
    silent_seconds: float = 0.0
    """How long the candidate has not answered: the bake is extended by it when it answers."""

    def resume(self, now: float) -> Self:
        """Return the record for an engine that takes over: the bake starts again.

        No engine judged the candidate since; the baseline stays, so that what happened
        in that time is judged.
        """
        resumed = replace(super().resume(now), bake_began=None, probes_underway=False)
        return replace(resumed, silent_seconds=0.0)

    def count_look(self, look: Look, now: float) -> Self:
        """Return the record with its bake extended by time that gave no evidence.

        A candidate that stays silent must not extend it for ever: only once it answers. An
        unclear verdict has its whole patience, unless the candidate was the reason.
        """
        if look.silent:
            return replace(self, silent_seconds=self.silent_seconds + look.lost_seconds)
        seconds = look.lost_seconds + self.silent_seconds
        clear = Condition.VERDICT_CLEAR
        unjudged = look.lost_seconds if look.unseen else 0.0
        return replace(
            self,
            silent_seconds=0.0,
            bake_began=self.bake_began and min(now, self.bake_began + seconds),
            clocks=delay_clock(self.clocks, clear, unjudged, now),
        )


@dataclass(frozen=True, kw_only=True)
class Emptying(StepRecord):
    """Steps 8–10: sessions leave the old colour."""


@dataclass(frozen=True, kw_only=True)
class EndingOld(StepRecord):
    """Step 11: keep the empty old slot running for a time, then stop it."""

    kept_since: float | None = None
    """When the old colour, empty, began to be kept warm."""
    ending: bool = False
    """True once the old colour is to be stopped: no rollback from here."""
    skip_bake: bool = False
    """True if a user asked to keep the old colour warm no longer."""


@dataclass(frozen=True, kw_only=True)
class Promoting(StepRecord):
    """Step 12: record the candidate as the stable release."""


RECORDS: Mapping[StepName, type[StepRecord]] = {
    StepName.READ_STATE: ReadingState,
    StepName.START_CANDIDATE: Starting,
    StepName.WAIT_HEALTHY: AwaitingHealth,
    StepName.PROVE: Proving,
    StepName.CANARY: Baking,
    StepName.MIGRATE: Emptying,
    StepName.WAIT_STRAGGLERS: Emptying,
    StepName.CONFIRM_EMPTY: Emptying,
    StepName.END_OLD: EndingOld,
    StepName.PROMOTE: Promoting,
}


def enter_step(name: StepName, now: float, before: StepRecord | None = None) -> StepRecord:
    """Return the record of a step that begins now, after the step of `before`."""
    clocks: Clocks = {}
    if before is not None and name is StepName.CONFIRM_EMPTY:
        # The clock continues: stragglers get no second drain timeout.
        kept = Condition.STABLE_EMPTY
        clocks = {kept: before.clocks[kept]} if kept in before.clocks else {}
    return RECORDS[name](began=now, clocks=clocks)
