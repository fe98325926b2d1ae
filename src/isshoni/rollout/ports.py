"""What the engine needs of an environment; each port has a fake and a contract test."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from isshoni.rollout.model import (
    BackendStatus,
    Colour,
    FiringAlarm,
    ProbeTally,
    Proof,
    Release,
    SlotState,
    TrafficSample,
    Weights,
)


class Traffic(Protocol):
    """The load balancer. Every method raises `EnvironmentFault` when it cannot."""

    async def apply_weights(self, weights: Weights) -> None:
        """Ask for `weights`. Idempotent; applied only once `verify_weights` returns them."""

    async def verify_weights(self) -> Weights | None:
        """Return the weights that the balancer itself reports; None if it reports none."""

    async def observe_health(self) -> Mapping[Colour, bool]:
        """Return which colours pass the balancer's own health check."""

    async def observe_traffic(self) -> Mapping[Colour, TrafficSample]:
        """Return each colour's counters."""


class Compute(Protocol):
    """The two slots. Every method raises `EnvironmentFault` when it cannot."""

    async def resolve(self, release: Release) -> Release:
        """Return `release` with the present content id of its source; change nothing else.

        A release that has a content id is returned unchanged.
        """

    async def prepare(self, release: Release) -> None:
        """Make `release` ready to start (install it). Idempotent; may take minutes."""

    async def start(self, colour: Colour, release: Release) -> None:
        """Start `release` on a slot and keep it running. Idempotent."""

    async def stop(self, colour: Colour) -> None:
        """End the programs of a slot: SIGTERM, and SIGKILL if they run on after their bound.

        SIGTERM lets a program drain. Idempotent.
        """

    async def observe_slots(self) -> Mapping[Colour, SlotState]:
        """Return what is on each slot. `healthy` is always False: only the balancer knows that."""

    async def tail_log(self, colour: Colour, lines: int) -> list[str]:
        """Return the last lines that the slot's program wrote, oldest first."""


class Backends(Protocol):
    """The admin API of the programs on the slots (docs/admin-api.md)."""

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Return the status that a backend reports; None when nothing answers in time."""

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Ask a backend to prove that it reads Redis and real sessions; failure is a value.

        It reads the sessions with these ids, or a sample of all sessions.
        """

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
        close_over_seconds: float = 0.0,
    ) -> None:
        """Start moving a share of the live sessions of `colour`, or change the move. Idempotent.

        A relay spreads the closes of clients that cannot be moved over `close_over_seconds`; it
        closes each once its time is over if that is 0.
        """

    async def cancel_migration(self, colour: Colour) -> None:
        """Stop moving sessions away from `colour`. Idempotent."""


class Probes(Protocol):
    """Synthetic users, marked as such: their traffic shows whether a colour works."""

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Connect a few synthetic users to `colour`, write, and leave; takes seconds at most.

        Failures are counted, not raised.
        """


class Alarms(Protocol):
    """Alarms that watch the platform from outside. Raises `EnvironmentFault` if unreadable."""

    async def observe_firing(self) -> frozenset[FiringAlarm]:
        """Return the alarms that fire now."""
