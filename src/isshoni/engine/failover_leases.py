"""The leases of a failover: its own, and those of both regions, so that no deploy runs there."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from isshoni.engine.environment import Clock
from isshoni.engine.errors import JournalFault, LeaseHeld, LeaseLost
from isshoni.engine.journal import Leases
from isshoni.engine.lease import LEASE_SECONDS, Lease, describe_self


class LeasesHeld:
    """Leases that are renewed together; those of a lost region may fail."""

    def __init__(self, clock: Clock, journal: Leases, own: Lease) -> None:
        self._clock = clock
        self._journals: dict[str, Leases] = {"": journal}
        self._leases: dict[str, Lease] = {"": own}
        self._lost: set[str] = set()

    @property
    def own(self) -> Lease:
        """Return the lease of the failover itself, which fences the journal."""
        return self._leases[""]

    def add(self, region: str, journal: Leases, lease: Lease, *, may_be_lost: bool) -> None:
        """Add the lease of a region."""
        self._journals[region], self._leases[region] = journal, lease
        if may_be_lost:
            self._lost.add(region)

    def renew(self) -> None:
        """Prolong what ends soon; raises `LeaseLost` if another engine has taken one."""
        now = self._clock.now()
        for name, lease in list(self._leases.items()):
            if lease.expires - now < LEASE_SECONDS * 0.75:
                self._renew(name, lease, now)

    def _renew(self, name: str, lease: Lease, now: float) -> None:
        try:
            renewed = self._journals[name].renew_lease(lease, now=now, ttl_seconds=LEASE_SECONDS)
        except (JournalFault, LeaseLost):
            if name not in self._lost:
                raise
            del self._leases[name]
            return
        self._leases[name] = renewed

    def check(self) -> None:
        """Raise `LeaseLost` if the own lease has expired since it was renewed."""
        if self._clock.now() >= self.own.expires:
            raise LeaseLost

    def release(self) -> None:
        """End all leases."""
        for name, lease in self._leases.items():
            with suppress(JournalFault):
                self._journals[name].release_lease(lease)


@contextmanager
def hold_leases(
    clock: Clock,
    journal: Leases,
    regions: Mapping[str, Leases],
    what: str,
    *,
    may_lose: str | None = None,
) -> Iterator[LeasesHeld]:
    """Acquire the leases of the failover and of each region; raises `LeaseHeld`.

    `may_lose`: the region of an emergency, whose journal may be gone.
    """
    with ExitStack() as stack:
        held = LeasesHeld(clock, journal, _take(clock, journal, what))
        stack.callback(held.release)
        for name, its in regions.items():
            try:
                lease = _take(clock, its, what)
            except (JournalFault, LeaseHeld):
                if name != may_lose:
                    raise
                continue
            held.add(name, its, lease, may_be_lost=name == may_lose)
        yield held


def _take(clock: Clock, journal: Leases, what: str) -> Lease:
    now = clock.now()
    return journal.take_lease(describe_self(what, now), now=now, ttl_seconds=LEASE_SECONDS)
