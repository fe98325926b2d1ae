"""Detect a rollout without an engine, and start `isshoni attend` to handle it."""

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from isshoni.engine.lease import Holder, is_dead
from isshoni.environments.local.files import read_bytes, read_json, write_atomically, write_json

LOOK_SECONDS = 5.0
DEFAULT_UNATTENDED_SECONDS = 300.0
"""The default, for plans of versions without this setting."""
_CONFIG_NAME = "config-file"
_REGION_NAME = "attended-region.json"
"""Which region the state directory is of; an earlier version does not know it."""
_REGION_ADVICE = "remove it, then run `isshoni deploy` or `isshoni rollback`, which write it again"

logger = logging.getLogger("supervisor")


class _Plan(msgspec.Struct):
    unattended_seconds: float = DEFAULT_UNATTENDED_SECONDS


class _Rollout(msgspec.Struct):
    id: str
    plan: _Plan


class AttendedRegion(msgspec.Struct, frozen=True):
    """The region that a supervisor's `isshoni attend` is about."""

    environment: str
    """As in `local.east`."""
    state_dir: str
    """The state directory of both regions."""


class LeaseRow(NamedTuple):
    """The stored lease; each renewal changes it."""

    epoch: int
    holder: str
    expires: float


class RolloutWatch:
    """Reads the journal every few seconds, and never waits for its lock."""

    def __init__(self, state_dir: Path, attend: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._journal = state_dir / "journal.sqlite"
        self._attend = attend
        self._looked_at = float("-inf")
        self._unattended: str | None = None
        self._since = 0.0
        self._lease: LeaseRow | None = None
        self._running: subprocess.Popen[bytes] | None = None

    def turn(self, now: float) -> None:
        """Check the journal, if it is time to."""
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        self._reap()
        try:
            rollout, lease = read_open_rollout(self._journal)
            rollout = None if self._is_attended(lease) else rollout
        except (sqlite3.Error, msgspec.MsgspecError, OSError):
            return  # busy, or of a later version: unknown, so change nothing
        if rollout is None or rollout.id != self._unattended:
            self._unattended, self._since = rollout.id if rollout else None, now
        if rollout is None or now - self._since < rollout.plan.unattended_seconds:
            return
        if self._running is None:
            logger.warning("rollout %s has no engine: starting `isshoni attend`", rollout.id)
            self._running = self._attend()
            self._since = now  # wait as long again before the next start

    def _is_attended(self, lease: LeaseRow | None) -> bool:
        """True if a live engine has renewed the lease since the last check.

        Engines renew it several times a second. Comparing rows needs no clock, which may be set.
        """
        before, self._lease = self._lease, lease
        if lease is None or lease == before:
            return False
        return not is_dead(msgspec.json.decode(lease.holder, type=Holder))

    def _reap(self) -> None:
        if self._running is None or self._running.poll() is None:
            return
        logger.info("`isshoni attend` ended with exit code %s", self._running.returncode)
        self._running = None


def read_open_rollout(journal: Path) -> tuple[_Rollout | None, LeaseRow | None]:
    """Return the open rollout, if any, and the lease; never waits for a lock."""
    if not journal.exists():
        return None, None
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=0)) as db:
        state = db.execute("SELECT state FROM rollouts WHERE outcome = 'running'").fetchone()
        row = db.execute("SELECT epoch, holder, expires FROM lease").fetchone()
    lease = None if row is None or row[1] is None else LeaseRow(*row)
    return state and msgspec.json.decode(state[0], type=_Rollout), lease


def remember_config(
    state_dir: Path, config_file: Path | None, region: AttendedRegion | None = None
) -> None:
    """Store the path of the last command's configuration, for `isshoni attend`."""
    if region is not None:
        write_json(state_dir / _REGION_NAME, msgspec.to_builtins(region))
    kept = state_dir / _CONFIG_NAME
    content = os.fsencode(config_file.absolute()) if config_file else b""
    if read_bytes(kept) != content:
        write_atomically(kept, content, durable=False)


def start_attending(state_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `isshoni attend` for this state directory, with its output in `log`."""
    region = read_json(state_dir / _REGION_NAME, AttendedRegion, _REGION_ADVICE)
    whole = str(state_dir) if region is None else region.state_dir
    named_environment = [] if region is None else ["--environment", region.environment]
    environ = os.environ | {"ISSHONI_STATE_DIR": whole}
    environ.pop("ISSHONI_CONFIG", None)
    named = os.fsdecode(read_bytes(state_dir / _CONFIG_NAME) or b"")
    if named and Path(named).exists():
        environ["ISSHONI_CONFIG"] = named
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "isshoni.cli", "attend", *named_environment],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=state_dir,
            env=environ,
            start_new_session=True,
        )
