"""The ports of the journal, in which an environment's history is stored, split by use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from isshoni.engine.lease import Holder, Lease
from isshoni.rollout.model import Stable
from isshoni.rollout.state import Request, RequestKind, Rollout
from isshoni.rollout.summary import RolloutSummary


@dataclass(frozen=True)
class Record:
    """One thing that happened, and why; never changed afterwards."""

    turn: int
    at: float
    step: int
    what: str
    why: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """A rollout as stored; `revision` grows with each save."""

    rollout: Rollout
    revision: int


@dataclass(frozen=True)
class Listed:
    """A rollout in a list, at the revision that it has now."""

    id: str
    revision: int


class Leases(Protocol):
    """The leases: only the engine that holds one may drive a rollout."""

    def take_lease(self, holder: Holder, *, now: float, ttl_seconds: float) -> Lease:
        """Return the lease of the one engine; raises `LeaseHeld` naming the present holder."""

    def renew_lease(self, lease: Lease, *, now: float, ttl_seconds: float) -> Lease:
        """Return the lease, prolonged; raises `LeaseLost` when another took it."""

    def release_lease(self, lease: Lease) -> None:
        """End a lease; does nothing when another engine has taken it."""

    def read_lease(self) -> Lease | None:
        """Return the last lease taken and not released; it may be expired."""


class Rollouts(Protocol):
    """The rollouts, each as it is now."""

    def save(
        self,
        rollout: Rollout,
        records: Sequence[Record],
        *,
        lease: Lease,
        revision: int,
        stable: Stable | None = None,
    ) -> int:
        """Store a rollout that was at `revision` (0: new), and return its new revision.

        All or nothing, with its records and, if given, the new stable. Raises
        `LeaseLost` when the lease or the revision is another's by now.
        """

    def read_rollout(self, rollout_id: str) -> Saved | None:
        """Return one rollout; None if there is none with this id."""

    def read_latest(self) -> Saved | None:
        """Return the rollout that began last; None before the first."""

    def list_rollouts(self, limit: int, *, before: str | None = None) -> list[Rollout]:
        """Return the last rollouts, newest first; or the last that began before one.

        None of them if `before` is not the id of a rollout.
        """

    def list_revisions(self, limit: int, *, before: str | None = None) -> list[Listed]:
        """Return the ids and revisions of what `list_rollouts` returns; reads no state."""

    def read_summaries(self, rollout_ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
        """Return the summaries of rollouts, each at the revision it was read at; no unknown ids."""


class Records(Protocol):
    """The records of what happened in each rollout."""

    def read_records(self, rollout_id: str, *, after_turn: int = 0) -> list[Record]:
        """Return what happened in a rollout after a turn, oldest first."""

    def note(self, rollout_id: str, record: Record) -> None:
        """Add a record that changes nothing; needs no lease. Its turn is the rollout's last."""


class Requests(Protocol):
    """The requests of users to the engine that drives a rollout."""

    def file_request(self, rollout_id: str, kind: RequestKind, *, who: str, at: float) -> int:
        """Add a request for the engine that works on a rollout; returns its id."""

    def read_requests(self, rollout_id: str, *, after: int) -> list[Request]:
        """Return the requests with an id greater than `after`, oldest first."""


class Stables(Protocol):
    """The releases that were stable, one after another."""

    def record_stable(self, stable: Stable, *, at: float) -> None:
        """Add the release that is stable now (as `save` does on promotion)."""

    def read_stable(self) -> Stable | None:
        """Return the stable release when no rollout runs; None before the first."""

    def read_previous(self) -> Stable | None:
        """Return the release that `isshoni rollback` goes back to; None if there is none."""

    def list_stables(self) -> list[Stable]:
        """Return the present and earlier stable releases, newest first, without rolled back ones.

        Each release once; the first is `read_stable`, the second `read_previous`.
        """


class Journal(Leases, Rollouts, Records, Requests, Stables, Protocol):
    """All that is stored of an environment. Several processes use it at once.

    Every method raises `JournalFault` if it fails. When it returns, its change is durable.
    """

    @property
    def fault(self) -> str | None:
        """Why the journal can only be read; None if it can be written."""

    def close(self) -> None:
        """Close its files or connections."""
