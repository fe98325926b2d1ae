"""The journal in a DynamoDB table, shared by every machine that deploys.

| partition          | sort key                 | row                                  |
|--------------------|--------------------------|--------------------------------------|
| `lease`            | `lease`                  | epoch, holder, expires               |
| `rollout`          | rollout id               | state, revision                      |
| `began`            | epoch, time, id          | the id: rollouts in their order      |
| `records:ID`       | turn, then what came     | records of one save, or one note     |
| `requests:ID`      | number                   | kind, who, at                        |
| `stable`           | `stable`                 | present, previous, past, revision    |
| `counter`          | `requests`               | revision: the last number given      |

A save is one transaction; it fails as a whole once another engine has the lease.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

import msgspec

from isshoni.engine.errors import JournalFault, LeaseLost
from isshoni.engine.journal import Listed, Record, Saved
from isshoni.engine.lease import Holder, Lease
from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.dynamo_lease import HELD, LEASE, DynamoLease, held_by
from isshoni.environments.aws.dynamo_table import DynamoTable, Key, Part, Row
from isshoni.environments.aws.errors import AwsFault, ConditionFailed
from isshoni.environments.aws.shared_clock import SharedClock
from isshoni.rollout.model import Stable
from isshoni.rollout.past import walk_back
from isshoni.rollout.state import Request, RequestKind, Rollout
from isshoni.rollout.stored import decode_rollout, encode_rollout
from isshoni.rollout.summary import RolloutSummary, decode_summary

_STABLE: Key = ("stable", "stable")
_NO_STABLE: Row = {"present": "", "previous": "", "past": "", "revision": 0}
_PAST = 50
"""How many earlier releases are stored for rollbacks; a row of DynamoDB is at most 400 kB."""
_REQUESTS: Key = ("counter", "requests")
_TRIES = 20
"""How often a write is tried: of writers of one row at once, one succeeds at each try."""

P = ParamSpec("P")
R = TypeVar("R")
J = TypeVar("J", bound="DynamoJournal")


def raising_journal_faults(
    method: Callable[Concatenate[J, P], R],
) -> Callable[Concatenate[J, P], R]:
    """Make `method` raise `JournalFault` if AWS fails or a row is damaged."""

    @wraps(method)
    def translated(self: J, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (AwsFault, msgspec.MsgspecError, LookupError, ValueError) as fault:
            raise JournalFault(f"the journal in table {self.table} failed: {fault}") from fault

    return cast(Callable[Concatenate[J, P], R], translated)


class DynamoJournal:
    """A `Journal` in a DynamoDB table; a write that has returned is in several data centres."""

    fault: str | None = None

    def __init__(self, api: AwsApi, table: str, clock: SharedClock | None = None) -> None:
        self.table = table
        clock = clock or SharedClock()
        self._table = DynamoTable(api, table, clock)
        self._lease = DynamoLease(self._table, clock)

    @raising_journal_faults
    def take_lease(self, holder: Holder, *, now: float, ttl_seconds: float) -> Lease:
        return self._lease.acquire(holder, now, ttl_seconds)

    @raising_journal_faults
    def renew_lease(self, lease: Lease, *, now: float, ttl_seconds: float) -> Lease:
        return self._lease.renew(lease, now, ttl_seconds)

    @raising_journal_faults
    def release_lease(self, lease: Lease) -> None:
        self._lease.release(lease)

    @raising_journal_faults
    def read_lease(self) -> Lease | None:
        return self._lease.read()

    @raising_journal_faults
    def save(
        self,
        rollout: Rollout,
        records: Sequence[Record],
        *,
        lease: Lease,
        revision: int,
        stable: Stable | None = None,
    ) -> int:
        parts = [
            self._table.part_check(LEASE, HELD, held_by(lease)),
            self._part_next(
                ("rollout", rollout.id), revision, {"rollout": encode_rollout(rollout).decode()}
            ),
        ]
        if revision == 0:
            place = f"{lease.epoch:012d} {rollout.began:017.6f} {rollout.id}"
            parts.append(self._table.part_put(("began", place), {"id": rollout.id}))
        if records:
            parts.append(self._write_records(rollout.id, f"{revision + 1:08d} 0", records))
        if stable is None:
            self._transact_or_lose(parts)
        else:
            self._record_stable(stable, parts)
        return revision + 1

    def _write_records(self, id: str, place: str, records: Sequence[Record]) -> Part:
        written = msgspec.json.encode(records).decode()
        return self._table.part_put((f"records:{id}", place), {"records": written})

    def _transact_or_lose(self, parts: Sequence[Part], *more: Part) -> None:
        """Write all parts; raise `LeaseLost` if lease or revision have changed."""
        try:
            self._table.transact(*parts, *more)
        except ConditionFailed as fault:
            if parts and any(fault.failed[:2]):
                raise LeaseLost from None
            raise

    @raising_journal_faults
    def read_rollout(self, rollout_id: str) -> Saved | None:
        return self._read_rollout(rollout_id)

    def _read_rollout(self, rollout_id: str) -> Saved | None:
        row = self._table.read(("rollout", rollout_id))
        if row is None:
            return None
        return Saved(decode_rollout(str(row["rollout"]).encode()), int(row["revision"]))

    @raising_journal_faults
    def read_latest(self) -> Saved | None:
        found = (self._read_rollout(id) for id in self._list_ids(1))
        return next(iter(found), None)

    @raising_journal_faults
    def list_rollouts(self, limit: int, *, before: str | None = None) -> list[Rollout]:
        found = (self._read_rollout(id) for id in self._list_ids(limit, before))
        return [saved.rollout for saved in found if saved is not None]

    def _list_ids(self, limit: int, before: str | None = None) -> list[str]:
        if before is None:
            rows = self._table.read_all("began", newest=True, limit=limit)
            return [str(row["id"]) for row in rows]
        # Only the ids of the newer ones are read, not the rollouts.
        ids = [str(row["id"]) for row in self._table.read_all("began", newest=True)]
        return ids[ids.index(before) + 1 :][:limit] if before in ids else []

    @raising_journal_faults
    def list_revisions(self, limit: int, *, before: str | None = None) -> list[Listed]:
        ids = self._list_ids(limit, before)
        rows = self._read_many(ids, "revision")
        return [Listed(id, int(rows[id]["revision"])) for id in ids if id in rows]

    @raising_journal_faults
    def read_summaries(self, rollout_ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
        rows = self._read_many(rollout_ids, "revision", "rollout")
        return {
            Listed(id, int(row["revision"])): decode_summary(str(row["rollout"]).encode())
            for id, row in rows.items()
        }

    def _read_many(self, ids: Sequence[str], *fields: str) -> dict[str, Row]:
        """Return fields of rollouts by id, in as few calls as pages of 1 MB hold.

        Ids begin with their time, so those of a list lie close together. Not `BatchGetItem`: the
        roles of installed environments do not permit it.
        """
        if not ids:
            return {}
        found = self._table.read_all("rollout", since=min(ids), until=max(ids), only=fields)
        wanted = set(ids)
        return {str(row["sk"]): row for row in found if row["sk"] in wanted}

    @raising_journal_faults
    def read_records(self, rollout_id: str, *, after_turn: int = 0) -> list[Record]:
        rows = self._table.read_all(f"records:{rollout_id}", since=f"{after_turn:08d}")
        written = (msgspec.json.decode(str(r["records"]), type=list[Record]) for r in rows)
        return [record for records in written for record in records if record.turn > after_turn]

    @raising_journal_faults
    def note(self, rollout_id: str, record: Record) -> None:
        saved = self._read_rollout(rollout_id)
        if saved is None:
            return
        noted = replace(record, turn=saved.revision)
        place = f"{saved.revision:08d} 1 {record.at:017.6f} {secrets.token_hex(4)}"
        self._table.transact(self._write_records(rollout_id, place, [noted]))

    @raising_journal_faults
    def file_request(self, rollout_id: str, kind: RequestKind, *, who: str, at: float) -> int:
        for _ in range(_TRIES):
            row = self._table.read(_REQUESTS)
            number = int(row["revision"]) if row else 0
            request: Row = {"kind": kind, "who": who, "at": at}
            place = (f"requests:{rollout_id}", f"{number + 1:012d}")
            # Number and request in one transaction: an engine that has read number 2 never
            # reads a number 1 that is written later.
            parts = self._part_next(_REQUESTS, number, {}), self._table.part_put(place, request)
            try:
                self._table.transact(*parts)
            except ConditionFailed:
                continue
            return number + 1
        raise JournalFault(
            f"the journal in table {self.table} is too busy to store a request: try again"
        )

    def _part_next(self, key: Key, revision: int, row: Row) -> Part:
        """Return the part that writes a row if it is still at `revision` (0: it does not exist)."""
        fields = "".join(f", {name} = :{name}" for name in row)
        values: Row = {":next": revision + 1, **{f":{n}": value for n, value in row.items()}}
        condition = "attribute_not_exists(pk)"
        if revision:
            condition, values[":revision"] = "revision = :revision", revision
        return self._table.part_update(key, f"SET revision = :next{fields}", condition, values)

    @raising_journal_faults
    def read_requests(self, rollout_id: str, *, after: int) -> list[Request]:
        rows = self._table.read_all(f"requests:{rollout_id}", since=f"{after + 1:012d}")
        return [
            Request(
                int(str(row["sk"])),
                cast(RequestKind, row["kind"]),
                str(row["who"]),
                float(row["at"]),
            )
            for row in rows
        ]

    @raising_journal_faults
    def record_stable(self, stable: Stable, *, at: float) -> None:
        del at  # they are ordered by when they are written
        self._record_stable(stable)

    def _record_stable(self, stable: Stable, parts: Sequence[Part] = ()) -> None:
        """Store the stable release, in one transaction with `parts` of a save, if there are any."""
        for _ in range(_TRIES):
            row = self._table.read(_STABLE) or _NO_STABLE
            past = walk_back([*reversed(read_past(row)), stable])[:_PAST]
            noted: Row = {
                "present": msgspec.json.encode(stable).decode(),
                # For versions without `past`, which roll back to this one.
                "previous": msgspec.json.encode(past[1]).decode() if len(past) > 1 else "",
                "past": msgspec.json.encode(past).decode(),
            }
            part = self._part_next(_STABLE, int(row["revision"]), noted)
            try:
                self._transact_or_lose(parts, part)
            except ConditionFailed:
                continue
            return
        raise JournalFault(
            f"the journal in table {self.table} is too busy to store the stable version: try again"
        )

    @raising_journal_faults
    def read_stable(self) -> Stable | None:
        return _read_stable((self._table.read(_STABLE) or _NO_STABLE)["present"])

    @raising_journal_faults
    def read_previous(self) -> Stable | None:
        return next(iter(self._list_stables()[1:]), None)

    @raising_journal_faults
    def list_stables(self) -> list[Stable]:
        return self._list_stables()

    def _list_stables(self) -> list[Stable]:
        return read_past(self._table.read(_STABLE) or _NO_STABLE)

    def close(self) -> None:
        """Do nothing: there is no connection to close."""


def read_past(row: Row) -> list[Stable]:
    """Return the present and earlier stable releases, newest first.

    `past` may be out of date: earlier versions write `present` and `previous` only.
    """
    past = msgspec.json.decode(str(row.get("past") or "[]"), type=list[Stable])
    present, previous = _read_stable(row["present"]), _read_stable(row["previous"])
    if past and past[0] == present:
        return past
    older = past if past and previous and past[0].release == previous.release else []
    return walk_back(s for s in (*reversed(older), previous, present) if s is not None)


def _read_stable(written: str | float) -> Stable | None:
    return msgspec.json.decode(str(written), type=Stable) if written else None
