"""The lease as a row of DynamoDB, changed by conditional writes."""

import msgspec

from isshoni.engine.errors import LeaseHeld, LeaseLost
from isshoni.engine.lease import Holder, Lease, is_free
from isshoni.environments.aws.dynamo_table import DynamoTable, Key, Row
from isshoni.environments.aws.errors import ConditionFailed
from isshoni.environments.aws.shared_clock import SharedClock

LEASE: Key = ("lease", "lease")
_NEVER_TAKEN: Row = {"epoch": 0.0, "holder": "", "expires": 0.0}
HELD = "epoch = :epoch AND holder <> :no_holder"


def held_by(lease: Lease) -> dict[str, str | float]:
    """Return the values for the condition `HELD`."""
    return {":epoch": lease.epoch, ":no_holder": ""}


class DynamoLease:
    """The lease; its stored times are of the shared clock, those for callers of their own."""

    def __init__(self, table: DynamoTable, clock: SharedClock) -> None:
        self._table = table
        self._clock = clock

    def acquire(self, holder: Holder, now: float, ttl_seconds: float) -> Lease:
        """Acquire the lease; raises `LeaseHeld` if another engine has it."""
        row = self._table.read(LEASE) or _NEVER_TAKEN
        before = self._read(row)
        # The holder's clock may be a little ahead: a lease that has just expired may be held.
        if not is_free(before, now - self._clock.margin_seconds):
            assert before is not None
            raise LeaseHeld(before.holder)
        lease = Lease(int(row["epoch"]) + 1, holder, now + ttl_seconds)
        try:
            self._write(lease, row)
        except ConditionFailed:
            return self._settle(lease)
        return lease

    def _write(self, lease: Lease, before: Row) -> None:
        first = before is _NEVER_TAKEN
        values: dict[str, str | float] = {
            ":next": lease.epoch,
            ":holder": msgspec.json.encode(lease.holder).decode(),
            ":expires": self._clock.to_shared(lease.expires),
        }
        if not first:  # it was renewed after it was read, so it is not free
            values |= {":epoch": before["epoch"], ":ended": before["expires"]}
        self._table.update(
            LEASE,
            "SET epoch = :next, holder = :holder, expires = :expires",
            "attribute_not_exists(pk)" if first else "epoch = :epoch AND expires = :ended",
            values,
        )

    def _settle(self, lease: Lease) -> Lease:
        """Return the lease if a write with a lost answer stored it; else raise `LeaseHeld`."""
        now = self._read(self._table.read(LEASE) or _NEVER_TAKEN)
        if now is not None and (now.epoch, now.holder) == (lease.epoch, lease.holder):
            return lease
        raise LeaseHeld(now.holder if now else lease.holder)

    def renew(self, lease: Lease, now: float, ttl_seconds: float) -> Lease:
        """Extend the lease; raises `LeaseLost` if another engine has it."""
        expires = self._clock.to_shared(now + ttl_seconds)
        values = {**held_by(lease), ":expires": expires}
        try:
            self._table.update(LEASE, "SET expires = :expires", HELD, values)
        except ConditionFailed:
            raise LeaseLost from None
        return Lease(lease.epoch, lease.holder, now + ttl_seconds)

    def release(self, lease: Lease) -> None:
        """Release the lease, unless another engine has it."""
        try:
            self._table.update(LEASE, "SET holder = :no_holder", HELD, held_by(lease))
        except ConditionFailed:
            return

    def read(self) -> Lease | None:
        """Return the last lease that was acquired and not released; None if there is none."""
        return self._read(self._table.read(LEASE) or _NEVER_TAKEN)

    def _read(self, row: Row) -> Lease | None:
        if not row["holder"]:
            return None
        holder = msgspec.json.decode(str(row["holder"]), type=Holder)
        expires = self._clock.to_local(float(row["expires"]))
        return Lease(int(row["epoch"]), holder, expires)
