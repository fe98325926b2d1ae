"""The journal of failovers in a DynamoDB table that both regions have a copy of.

Its rows beside those of `DynamoJournal`:

| partition       | sort key        | row                                    |
|-----------------|-----------------|----------------------------------------|
| `failover`      | failover id     | state, revision                        |
| `failed-over`   | time, id        | the id: failovers in their order       |
"""

from collections.abc import Sequence

import msgspec

from isshoni.engine.failover_journal import SavedFailover
from isshoni.engine.journal import Record
from isshoni.engine.lease import Lease
from isshoni.environments.aws.dynamo_journal import DynamoJournal, raising_journal_faults
from isshoni.environments.aws.dynamo_lease import HELD, LEASE, held_by
from isshoni.rollout.failover.model import Failover

_STATES, _ORDER = "failover", "failed-over"


class DynamoFailovers(DynamoJournal):
    """A `FailoverJournal`; the other region's copy has a row within about a second."""

    @raising_journal_faults
    def save_failover(
        self, failover: Failover, records: Sequence[Record], *, lease: Lease, revision: int
    ) -> int:
        state = msgspec.json.encode(failover).decode()
        parts = [
            self._table.part_check(LEASE, HELD, held_by(lease)),
            self._part_next((_STATES, failover.id), revision, {"failover": state}),
        ]
        if revision == 0:
            # Not by the lease's number: while the regions do not reach each other, each copy of
            # the table gives numbers of its own.
            place = f"{failover.began:017.6f} {failover.id}"
            parts.append(self._table.part_put((_ORDER, place), {"id": failover.id}))
        if records:
            parts.append(self._write_records(failover.id, f"{revision + 1:08d} 0", records))
        self._transact_or_lose(parts)
        return revision + 1

    @raising_journal_faults
    def read_latest_failover(self) -> SavedFailover | None:
        return next(iter(self._list_failovers(1)), None)

    @raising_journal_faults
    def list_failovers(self, limit: int) -> list[Failover]:
        return [saved.failover for saved in self._list_failovers(limit)]

    def _list_failovers(self, limit: int) -> list[SavedFailover]:
        rows = self._table.read_all(_ORDER, newest=True, limit=limit)
        found = (self._table.read((_STATES, str(row["id"]))) for row in rows)
        return [
            SavedFailover(
                msgspec.json.decode(str(row["failover"]), type=Failover), int(row["revision"])
            )
            for row in found
            if row is not None  # its own row has not been copied yet
        ]
