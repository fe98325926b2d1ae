"""The journal of failovers: leases, records and requests as of rollouts, and their states."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from isshoni.engine.errors import LeaseLost
from isshoni.engine.journal import Leases, Record, Records, Requests
from isshoni.engine.lease import Lease
from isshoni.engine.sqlite_journal import SqliteJournal, translated, write_record
from isshoni.rollout.failover.model import Failover

_SCHEMA = """
CREATE TABLE IF NOT EXISTS failovers (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL,
  state TEXT NOT NULL)
"""


@dataclass(frozen=True)
class SavedFailover:
    """A failover as stored; `revision` grows with each save."""

    failover: Failover
    revision: int


class FailoverJournal(Leases, Records, Requests, Protocol):
    """What is stored of the failovers. Every method raises `JournalFault` if it fails."""

    def save_failover(
        self, failover: Failover, records: Sequence[Record], *, lease: Lease, revision: int
    ) -> int:
        """Store a failover that was at `revision` (0: new), and return its new revision.

        All or nothing, with its records. Raises `LeaseLost` when lease or revision is another's.
        """

    def read_latest_failover(self) -> SavedFailover | None:
        """Return the failover that began last; None before the first."""

    def list_failovers(self, limit: int) -> list[Failover]:
        """Return the last failovers, newest first."""

    def close(self) -> None:
        """Close its files."""


class SqliteFailovers(SqliteJournal):
    """A `FailoverJournal` in a file of its own, beside those of the regions."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._add_table()

    @translated
    def _add_table(self) -> None:
        if self.fault is None:
            self._db.execute(_SCHEMA)

    @translated
    def save_failover(
        self, failover: Failover, records: Sequence[Record], *, lease: Lease, revision: int
    ) -> int:
        state = msgspec.json.encode(failover).decode()
        with self._transaction() as db:
            self._check_lease(db, lease)
            if revision == 0:
                row = (failover.id, state)
                db.execute("INSERT INTO failovers (id, revision, state) VALUES (?, 1, ?)", row)
            else:
                changed = db.execute(
                    "UPDATE failovers SET revision = revision + 1, state = ?"
                    " WHERE id = ? AND revision = ?",
                    (state, failover.id, revision),
                )
                if changed.rowcount != 1:
                    raise LeaseLost
            db.executemany(
                "INSERT INTO records (rollout_id, turn, at, step, what, why, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(failover.id, *write_record(record)) for record in records],
            )
        return revision + 1

    @translated
    def read_latest_failover(self) -> SavedFailover | None:
        row = self._db.execute(
            "SELECT state, revision FROM failovers ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return row and SavedFailover(msgspec.json.decode(row[0], type=Failover), row[1])

    @translated
    def list_failovers(self, limit: int) -> list[Failover]:
        rows = self._db.execute(
            "SELECT state FROM failovers ORDER BY number DESC LIMIT ?", (limit,)
        ).fetchall()
        return [msgspec.json.decode(state, type=Failover) for (state,) in rows]
