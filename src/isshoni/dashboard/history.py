"""List the rollouts for the page; what has been read is read again only after it changed."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from isshoni.dashboard.reasons import read_reasons
from isshoni.engine.journal import Listed
from isshoni.engine.report import measure_rollback, measure_rollout
from isshoni.rollout.model import Stable
from isshoni.rollout.summary import RolloutSummary

_ROUNDED_SECONDS = 0.01
_READ_AT_ONCE = 200
"""Rollouts that are read without a pause: each takes up to 50 µs of CPU."""
MAX_KEPT = 2_000
"""How many rollouts are kept; each takes about 2 kB."""


class Summaries(Protocol):
    """What a list of rollouts needs of the journal."""

    def list_revisions(self, limit: int, *, before: str | None = None) -> list[Listed]:
        """Return the ids and revisions of the last rollouts, or of the last before one."""

    def read_summaries(self, rollout_ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
        """Return the summaries of rollouts, each at the revision it was read at."""

    def read_stable(self) -> Stable | None:
        """Return the stable release when no rollout runs."""


class RolloutList:
    """Lists rollouts as JSON values, and keeps them by id and revision.

    A rollout that any process saves, or continues after it had ended, gets a new revision.
    """

    def __init__(self, journal: Summaries, max_kept: int = MAX_KEPT) -> None:
        self._journal = journal
        self._max_kept = max_kept
        self._kept: dict[Listed, dict[str, Any]] = {}
        """The rows, the one used last at the end."""

    async def list_rows(
        self, now: float, limit: int, before: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the last rollouts, newest first, without stopping the live views for long.

        `before`: only of those that began before the rollout with this id.
        """
        stable = self._journal.read_stable()
        listed = self._journal.list_revisions(limit, before=before)
        rows: list[dict[str, Any]] = []
        for at in range(0, len(listed), _READ_AT_ONCE):
            if at:
                await asyncio.sleep(0)
            rows += self._read(listed[at : at + _READ_AT_ONCE])
        return [_complete(row, stable, now) for row in rows]

    def _read(self, listed: Sequence[Listed]) -> list[dict[str, Any]]:
        missing = [it.id for it in listed if it not in self._kept]
        read = self._journal.read_summaries(missing) if missing else {}
        fresh = {it.id: (it, _show(summary)) for it, summary in read.items()}
        rows = []
        for it in listed:
            if it in self._kept:
                current, row = it, self._kept.pop(it)
            elif it.id in fresh:
                current, row = fresh[it.id]  # its revision may have grown since it was listed
            else:
                continue
            self._kept[current] = row
            rows.append(row)
        while len(self._kept) > self._max_kept:
            del self._kept[next(iter(self._kept))]
        return rows


def _show(summary: RolloutSummary) -> dict[str, Any]:
    """Return what does not change until the rollout is saved again."""
    clocks = measure_rollback(summary.rollback)
    return {
        "id": summary.id,
        "release": summary.release.label,
        "content": summary.release.content,
        "previous_release": summary.stable.release.label,
        "previous_content": summary.stable.release.content,
        "colour": summary.candidate,
        "outcome": summary.outcome,
        "reason": summary.reason,
        "reasons": [asdict(reason) for reason in read_reasons(summary.reason)],
        "returning": summary.returning,
        "began": summary.began,
        "ended": summary.ended,
        "rollback_seconds": clocks and asdict(clocks),
    }


def _complete(row: Mapping[str, Any], stable: Stable | None, now: float) -> dict[str, Any]:
    """Return a row with its duration, and whether the rollout brought what serves now."""
    seconds = measure_rollout(row["began"], row["ended"], now)
    live = _made_live(row["release"], row["began"] + seconds, stable)
    kept = {name: value for name, value in row.items() if name != "ended"}
    return {**kept, "live": live, "seconds": seconds}


def _made_live(label: str, ended: float, stable: Stable | None) -> bool:
    """True if a rollout brought the release that serves now.

    False for all if an earlier version stored the release, without since when it serves.
    """
    if stable is None or stable.since is None or label != stable.release.label:
        return False
    return math.isclose(ended, stable.since, rel_tol=0, abs_tol=_ROUNDED_SECONDS)
