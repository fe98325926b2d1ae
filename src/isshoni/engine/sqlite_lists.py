"""Queries for lists of rollouts in the SQLite journal."""

import sqlite3
from collections.abc import Sequence

import msgspec

from isshoni.engine.journal import Listed
from isshoni.rollout.state import Rollout
from isshoni.rollout.stored import decode_rollout
from isshoni.rollout.summary import RolloutSummary, decode_summary

_PAGE = """FROM rollouts
WHERE ?1 IS NULL OR number < (SELECT number FROM rollouts WHERE id = ?1)
ORDER BY number DESC LIMIT ?2"""
"""The last ?2 rollouts, newest first; of those that began before ?1, unless it is NULL."""


def select_rollouts(db: sqlite3.Connection, limit: int, before: str | None) -> list[Rollout]:
    """Return the last rollouts, newest first; or the last that began before one."""
    rows = db.execute(f"SELECT state {_PAGE}", (before, limit)).fetchall()
    return [decode_rollout(state.encode()) for (state,) in rows]


def select_revisions(db: sqlite3.Connection, limit: int, before: str | None) -> list[Listed]:
    """Return the ids and revisions of what `select_rollouts` returns."""
    rows = db.execute(f"SELECT id, revision {_PAGE}", (before, limit)).fetchall()
    return [Listed(*row) for row in rows]


def select_summaries(db: sqlite3.Connection, ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
    """Return the summaries of rollouts with their revisions; no unknown ids."""
    rows = db.execute(
        "SELECT id, revision, state FROM rollouts WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(ids).decode(),),
    ).fetchall()
    return {Listed(id, revision): decode_summary(state.encode()) for id, revision, state in rows}
