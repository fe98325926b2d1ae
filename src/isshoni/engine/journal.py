"""What a rollout leaves behind for the next engine, the dashboard and people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from isshoni.engine.lease import Holder, Lease
from isshoni.rollout.model import Stable
from isshoni.rollout.state import Request, RequestKind, Rollout


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


class Journal(Protocol):
    """An environment's memory. Several processes use it at once.

    Every method raises `JournalFault` when it cannot. Whatever returned is durable.
    """

    @property
    def fault(self) -> str | None:
        """Why the journal can only be read; None if it can be written."""

    def take_lease(self, holder: Holder, *, now: float, ttl_seconds: float) -> Lease:
        """Become the one engine; raises `LeaseHeld` naming the one that is."""

    def renew_lease(self, lease: Lease, *, now: float, ttl_seconds: float) -> Lease:
        """Hold on to a lease; raises `LeaseLost` when another took it."""

    def release_lease(self, lease: Lease) -> None:
        """Let go; a lease that was lost is nobody's to release, and that is fine."""

    def read_lease(self) -> Lease | None:
        """Give the last lease taken and not released; it may be expired."""

    def save(
        self,
        rollout: Rollout,
        records: Sequence[Record],
        *,
        lease: Lease,
        revision: int,
        stable: Stable | None = None,
    ) -> int:
        """Store a rollout that was at `revision` (0: new), and give its new revision.

        All or nothing, with its records and, if given, the new stable. Raises
        `LeaseLost` when the lease or the revision is another's by now.
        """

    def read_rollout(self, rollout_id: str) -> Saved | None:
        """Read one rollout."""

    def read_latest(self) -> Saved | None:
        """Read the rollout that began last."""

    def list_rollouts(self, limit: int) -> list[Rollout]:
        """Read the last rollouts, newest first."""

    def read_records(self, rollout_id: str, *, after_turn: int = 0) -> list[Record]:
        """Read what happened in a rollout after a turn, oldest first."""

    def note(self, rollout_id: str, record: Record) -> None:
        """Add a record that changes nothing; needs no lease. Its turn is the rollout's last."""

    def file_request(self, rollout_id: str, kind: RequestKind, *, who: str, at: float) -> int:
        """Leave a request for the engine that works on a rollout; gives its id."""

    def read_requests(self, rollout_id: str, *, after: int) -> list[Request]:
        """Read the requests with an id greater than `after`, oldest first."""

    def record_stable(self, stable: Stable, *, at: float) -> None:
        """Note what people are on now (as `save` does on promotion)."""

    def read_stable(self) -> Stable | None:
        """Say what people are on when no rollout runs."""

    def read_previous(self) -> Stable | None:
        """Return the release that `isshoni rollback` goes back to; None if there is none."""

    def list_stables(self) -> list[Stable]:
        """Return the present and earlier stable releases, newest first, without rolled back ones.

        Each release once; the first is `read_stable`, the second `read_previous`.
        """

    def close(self) -> None:
        """Let go of files."""
