"""The journal in one SQLite file, shared by every process on the machine."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

import msgspec

from isshoni.engine.errors import JournalFault, LeaseHeld, LeaseLost
from isshoni.engine.journal import Listed, Record, Saved
from isshoni.engine.lease import Holder, Lease, is_free
from isshoni.engine.process_identity import read_boot_id
from isshoni.engine.sqlite_copy import SqliteCopy
from isshoni.engine.sqlite_lists import select_revisions, select_rollouts, select_summaries
from isshoni.engine.steady_clock import from_steady, to_steady
from isshoni.rollout.model import Stable
from isshoni.rollout.past import walk_back
from isshoni.rollout.state import Request, RequestKind, Rollout
from isshoni.rollout.stored import decode_rollout, encode_rollout
from isshoni.rollout.summary import RolloutSummary

SCHEMA_VERSION = 1
BUSY_SECONDS = 5.0

SCHEMA = """
CREATE TABLE lease (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL, holder TEXT, expires REAL NOT NULL);
CREATE TABLE rollouts (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL,
  outcome TEXT NOT NULL, state TEXT NOT NULL);
CREATE UNIQUE INDEX one_runs ON rollouts (outcome) WHERE outcome = 'running';
CREATE TABLE records (
  number INTEGER PRIMARY KEY, rollout_id TEXT NOT NULL, turn INTEGER NOT NULL, at REAL NOT NULL,
  step INTEGER NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX records_of ON records (rollout_id, number);
CREATE TABLE requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rollout_id TEXT NOT NULL, kind TEXT NOT NULL,
  who TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE stables (number INTEGER PRIMARY KEY, at REAL NOT NULL, stable TEXT NOT NULL);
INSERT INTO lease VALUES (1, 0, NULL, 0);
"""

P = ParamSpec("P")
R = TypeVar("R")
Its = TypeVar("Its", bound="SqliteJournal")


def translated(
    method: Callable[Concatenate[Its, P], R],
) -> Callable[Concatenate[Its, P], R]:
    """Raise `JournalFault` for every error of SQLite or of a damaged row."""

    @wraps(method)
    def wrapper(self: Its, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (sqlite3.Error, msgspec.MsgspecError, ValueError, OSError) as fault:
            if isinstance(fault, sqlite3.OperationalError) and _is_about_disk(fault):
                raise JournalFault(describe_unwritable(self.path, fault)) from fault
            raise JournalFault(f"the journal {self.path} failed: {fault}") from fault

    return cast(Callable[Concatenate[Its, P], R], wrapper)


def _is_about_disk(fault: sqlite3.OperationalError) -> bool:
    # SQLITE_READONLY, _IOERR, _FULL, _CANTOPEN, each with its extended codes in the upper bits.
    return fault.sqlite_errorcode & 0xFF in (8, 10, 13, 14)


class SqliteJournal:
    """A `Journal` in a SQLite file (WAL); each commit is on the disk before it returns.

    If the file cannot be written (a full disk), it can still be read; `fault` says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: str | None = None
        self._copy: SqliteCopy | None = None
        self._walked: tuple[int | None, list[Stable]] = None, []
        try:
            self._writable: sqlite3.Connection | None = self._open()
        except JournalFault as fault:
            self._writable = None
            self._open_copy(fault)

    def _open_copy(self, fault: JournalFault) -> None:
        """Read from a copy from now on; raises `fault` if there is nothing to read."""
        if not isinstance(fault.__cause__, sqlite3.OperationalError | OSError):
            raise fault
        copy = SqliteCopy(self.path, _add_steady)
        try:
            version = copy.connect().execute("PRAGMA user_version").fetchone()[0]
        except (sqlite3.Error, OSError):
            version = 0
        if not 0 < version <= SCHEMA_VERSION:
            copy.close()
            raise fault
        self._copy = copy
        self.fault = f"{describe_unwritable(self.path, fault.__cause__)}; it is opened read-only"

    @property
    def _db(self) -> sqlite3.Connection:
        if self._writable is None:
            assert self._copy is not None
            return self._copy.connect()
        return self._writable

    @translated
    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        _switch_to_wal(db)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            db.close()
            newer = f"it has schema {version}, this Isshoni knows {SCHEMA_VERSION}: use a newer one"
            raise JournalFault(f"the journal {self.path} cannot be used: {newer}")
        if version == 0:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        _add_steady(db)
        db.execute("COMMIT")
        return db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self.fault is not None:
            raise JournalFault(self.fault)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled it back already
                self._db.execute("ROLLBACK")
            raise

    @translated
    def take_lease(self, holder: Holder, *, now: float, ttl_seconds: float) -> Lease:
        with self._transaction() as db:
            epoch, held = self._read_lease(db)
            if held is not None and not is_free(held, now):
                raise LeaseHeld(held.holder)
            lease = Lease(epoch + 1, holder, now + ttl_seconds)
            row = (lease.epoch, msgspec.json.encode(holder).decode())
            db.execute("UPDATE lease SET epoch = ?, holder = ?", row)
            self._write_expiry(db, lease.expires)
            return lease

    @translated
    def renew_lease(self, lease: Lease, *, now: float, ttl_seconds: float) -> Lease:
        with self._transaction() as db:
            self._check_lease(db, lease)
            self._write_expiry(db, now + ttl_seconds)
        return Lease(lease.epoch, lease.holder, now + ttl_seconds)

    @translated
    def release_lease(self, lease: Lease) -> None:
        with self._transaction() as db:
            db.execute("UPDATE lease SET holder = NULL WHERE epoch = ?", (lease.epoch,))

    @translated
    def read_lease(self) -> Lease | None:
        return self._read_lease(self._db)[1]

    @staticmethod
    def _read_lease(db: sqlite3.Connection) -> tuple[int, Lease | None]:
        epoch, raw, expires, steady = db.execute(
            "SELECT epoch, holder, expires, steady FROM lease"
        ).fetchone()
        if raw is None:
            return epoch, None
        holder = msgspec.json.decode(raw, type=Holder)
        return epoch, Lease(epoch, holder, _read_expiry(expires, steady))

    @staticmethod
    def _write_expiry(db: sqlite3.Connection, expires: float) -> None:
        steady = _SteadyExpiry(expires, read_boot_id(), to_steady(expires))
        row = (expires, msgspec.json.encode(steady).decode())
        db.execute("UPDATE lease SET expires = ?, steady = ?", row)

    @staticmethod
    def _check_lease(db: sqlite3.Connection, lease: Lease) -> None:
        epoch, raw = db.execute("SELECT epoch, holder FROM lease").fetchone()
        if epoch != lease.epoch or raw is None:
            raise LeaseLost

    @translated
    def save(
        self,
        rollout: Rollout,
        records: Sequence[Record],
        *,
        lease: Lease,
        revision: int,
        stable: Stable | None = None,
    ) -> int:
        state = encode_rollout(rollout).decode()
        with self._transaction() as db:
            self._check_lease(db, lease)
            if revision == 0:
                row = (rollout.id, 1, rollout.outcome, state)
                db.execute(
                    "INSERT INTO rollouts (id, revision, outcome, state) VALUES (?, ?, ?, ?)", row
                )
            else:
                changed = db.execute(
                    "UPDATE rollouts SET revision = revision + 1, outcome = ?, state = ?"
                    " WHERE id = ? AND revision = ?",
                    (rollout.outcome, state, rollout.id, revision),
                )
                if changed.rowcount != 1:
                    raise LeaseLost
            db.executemany(
                "INSERT INTO records (rollout_id, turn, at, step, what, why, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(rollout.id, *write_record(record)) for record in records],
            )
            if stable is not None:
                self._insert_stable(db, stable, records[-1].at if records else rollout.began)
        return revision + 1

    @translated
    def read_rollout(self, rollout_id: str) -> Saved | None:
        return self._read_one("SELECT state, revision FROM rollouts WHERE id = ?", rollout_id)

    @translated
    def read_latest(self) -> Saved | None:
        return self._read_one("SELECT state, revision FROM rollouts ORDER BY number DESC LIMIT 1")

    def _read_one(self, query: str, *values: str) -> Saved | None:
        row = self._db.execute(query, values).fetchone()
        return row and Saved(decode_rollout(row[0].encode()), row[1])

    @translated
    def list_rollouts(self, limit: int, *, before: str | None = None) -> list[Rollout]:
        return select_rollouts(self._db, limit, before)

    @translated
    def list_revisions(self, limit: int, *, before: str | None = None) -> list[Listed]:
        return select_revisions(self._db, limit, before)

    @translated
    def read_summaries(self, rollout_ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
        return select_summaries(self._db, rollout_ids)

    @translated
    def read_records(self, rollout_id: str, *, after_turn: int = 0) -> list[Record]:
        rows = self._db.execute(
            "SELECT turn, at, step, what, why, data FROM records"
            " WHERE rollout_id = ? AND turn > ? ORDER BY number",
            (rollout_id, after_turn),
        ).fetchall()
        return [_read_record(*row) for row in rows]

    @translated
    def note(self, rollout_id: str, record: Record) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO records (rollout_id, turn, at, step, what, why, data)"
                " SELECT id, revision, ?, ?, ?, ?, ? FROM rollouts WHERE id = ?",
                (*write_record(record)[1:], rollout_id),
            )

    @translated
    def file_request(self, rollout_id: str, kind: RequestKind, *, who: str, at: float) -> int:
        with self._transaction() as db:
            filed = db.execute(
                "INSERT INTO requests (rollout_id, kind, who, at) VALUES (?, ?, ?, ?) RETURNING id",
                (rollout_id, kind, who, at),
            )
            return int(filed.fetchone()[0])

    @translated
    def read_requests(self, rollout_id: str, *, after: int) -> list[Request]:
        rows = self._db.execute(
            "SELECT id, kind, who, at FROM requests WHERE rollout_id = ? AND id > ? ORDER BY id",
            (rollout_id, after),
        ).fetchall()
        return [Request(*row) for row in rows]

    @translated
    def record_stable(self, stable: Stable, *, at: float) -> None:
        with self._transaction() as db:
            self._insert_stable(db, stable, at)

    @staticmethod
    def _insert_stable(db: sqlite3.Connection, stable: Stable, at: float) -> None:
        raw = msgspec.json.encode(stable).decode()
        db.execute("INSERT INTO stables (at, stable) VALUES (?, ?)", (at, raw))

    @translated
    def read_stable(self) -> Stable | None:
        row = self._db.execute("SELECT stable FROM stables ORDER BY number DESC LIMIT 1").fetchone()
        return row and msgspec.json.decode(row[0], type=Stable)

    @translated
    def read_previous(self) -> Stable | None:
        return next(iter(self._list_stables()[1:]), None)

    @translated
    def list_stables(self) -> list[Stable]:
        return self._list_stables()

    def _list_stables(self) -> list[Stable]:
        # Rows are only added: a live view reads this several times a second.
        last = self._db.execute("SELECT max(number) FROM stables").fetchone()[0]
        if last is None or last != self._walked[0]:
            rows = self._db.execute("SELECT stable FROM stables ORDER BY number").fetchall()
            stables = walk_back(msgspec.json.decode(raw, type=Stable) for (raw,) in rows)
            self._walked = last, stables
        return list(self._walked[1])

    @translated
    def close(self) -> None:
        if self._copy is not None:
            self._copy.close()
        if self._writable is not None:
            self._writable.close()


def _add_steady(db: sqlite3.Connection) -> None:
    """Add the column `steady`, unless it is there; earlier versions ignore it."""
    columns = {row[1] for row in db.execute("PRAGMA table_info (lease)")}
    if columns and "steady" not in columns:
        db.execute("ALTER TABLE lease ADD COLUMN steady TEXT")


def describe_unwritable(path: Path, cause: BaseException) -> str:
    """Return a sentence: that the journal cannot be written, why, and what to do."""
    free = shutil.disk_usage(path.parent).free
    return (
        f"the journal {path} cannot be written ({cause}; {free / 2**20:.0f} MiB are free on its "
        "disk): make room there, or let this user write to it"
    )


class _SteadyExpiry(msgspec.Struct, frozen=True):
    """When a lease ends, by the steady clock that all processes of the machine share."""

    expires: float
    """`lease.expires` when this was written; an earlier version renews only that one."""
    boot: str
    steady: float


def _read_expiry(expires: float, written: str | None) -> float:
    """Return when a lease ends, as a `read_time()` of this process."""
    if written is None:
        return expires
    stored = msgspec.json.decode(written, type=_SteadyExpiry)
    current = stored.expires == expires and stored.boot == read_boot_id()
    return from_steady(stored.steady) if current else expires


def write_record(record: Record) -> tuple[int, float, int, str, str, str]:
    """Return the columns of a record after its id."""
    data = msgspec.json.encode(record.data).decode()
    return (record.turn, record.at, record.step, record.what, record.why, data)


def _read_record(turn: int, at: float, step: int, what: str, why: str, data: str) -> Record:
    return Record(turn, at, step, what, why, msgspec.json.decode(data))


def _switch_to_wal(db: sqlite3.Connection) -> None:
    # The switch needs the file to itself and does not wait for that by itself, so two
    # processes that create a journal at once can collide here.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
