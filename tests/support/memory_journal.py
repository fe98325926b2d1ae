"""The fake of `Journal`: the same contract, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from isshoni.engine.errors import LeaseHeld, LeaseLost
from isshoni.engine.journal import Listed, Record, Saved
from isshoni.engine.lease import Holder, Lease, is_free
from isshoni.rollout.model import Stable
from isshoni.rollout.past import walk_back
from isshoni.rollout.state import Request, RequestKind, Rollout
from isshoni.rollout.stored import decode_rollout, encode_rollout
from isshoni.rollout.summary import RolloutSummary, decode_summary


class MemoryJournal:
    """A `Journal` that dies with the process."""

    fault: str | None = None

    def __init__(self) -> None:
        self._lease: Lease | None = None
        self._epoch = 0
        self._rollouts: dict[str, tuple[bytes, int]] = {}
        self._records: dict[str, list[Record]] = {}
        self._requests: list[tuple[str, Request]] = []
        self._stables: list[Stable] = []

    def take_lease(self, holder: Holder, *, now: float, ttl_seconds: float) -> Lease:
        if self._lease is not None and not is_free(self._lease, now):
            raise LeaseHeld(self._lease.holder)
        self._epoch += 1
        self._lease = Lease(self._epoch, holder, now + ttl_seconds)
        return self._lease

    def renew_lease(self, lease: Lease, *, now: float, ttl_seconds: float) -> Lease:
        self._check_lease(lease)
        self._lease = Lease(lease.epoch, lease.holder, now + ttl_seconds)
        return self._lease

    def release_lease(self, lease: Lease) -> None:
        if self._lease is not None and self._lease.epoch == lease.epoch:
            self._lease = None

    def read_lease(self) -> Lease | None:
        return self._lease

    def _check_lease(self, lease: Lease) -> None:
        if self._lease is None or self._lease.epoch != lease.epoch:
            raise LeaseLost

    def save(
        self,
        rollout: Rollout,
        records: Sequence[Record],
        *,
        lease: Lease,
        revision: int,
        stable: Stable | None = None,
    ) -> int:
        self._check_lease(lease)
        if self._rollouts.get(rollout.id, (b"", 0))[1] != revision:
            raise LeaseLost
        self._rollouts[rollout.id] = (encode_rollout(rollout), revision + 1)
        self._records.setdefault(rollout.id, []).extend(records)
        if stable is not None:
            self._stables.append(stable)
        return revision + 1

    def read_rollout(self, rollout_id: str) -> Saved | None:
        if rollout_id not in self._rollouts:
            return None
        raw, revision = self._rollouts[rollout_id]
        return Saved(decode_rollout(raw), revision)

    def read_latest(self) -> Saved | None:
        return self.read_rollout(list(self._rollouts)[-1]) if self._rollouts else None

    def list_rollouts(self, limit: int, *, before: str | None = None) -> list[Rollout]:
        listed = self.list_revisions(limit, before=before)
        return [decode_rollout(self._rollouts[it.id][0]) for it in listed]

    def list_revisions(self, limit: int, *, before: str | None = None) -> list[Listed]:
        ids = list(self._rollouts)
        if before is not None:
            ids = ids[: ids.index(before)] if before in ids else []
        return [Listed(id, self._rollouts[id][1]) for id in ids[::-1][:limit]]

    def read_summaries(self, rollout_ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
        found = {id: self._rollouts[id] for id in rollout_ids if id in self._rollouts}
        return {Listed(id, number): decode_summary(raw) for id, (raw, number) in found.items()}

    def read_records(self, rollout_id: str, *, after_turn: int = 0) -> list[Record]:
        return [r for r in self._records.get(rollout_id, []) if r.turn > after_turn]

    def note(self, rollout_id: str, record: Record) -> None:
        if rollout_id in self._rollouts:
            turn = self._rollouts[rollout_id][1]
            self._records.setdefault(rollout_id, []).append(replace(record, turn=turn))

    def file_request(self, rollout_id: str, kind: RequestKind, *, who: str, at: float) -> int:
        request = Request(len(self._requests) + 1, kind, who, at)
        self._requests.append((rollout_id, request))
        return request.id

    def read_requests(self, rollout_id: str, *, after: int) -> list[Request]:
        return [r for of, r in self._requests if of == rollout_id and r.id > after]

    def record_stable(self, stable: Stable, *, at: float) -> None:
        self._stables.append(stable)

    def read_stable(self) -> Stable | None:
        return self._stables[-1] if self._stables else None

    def read_previous(self) -> Stable | None:
        return next(iter(self.list_stables()[1:]), None)

    def list_stables(self) -> list[Stable]:
        return walk_back(self._stables)

    def close(self) -> None:
        pass
