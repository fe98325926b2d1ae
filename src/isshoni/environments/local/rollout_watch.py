"""Notices a rollout that no engine works on, and starts the command that handles it."""

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
from isshoni.environments.local.files import read_bytes, write_atomically

LOOK_SECONDS = 5.0
DEFAULT_UNATTENDED_SECONDS = 300.0
"""Of a plan from before this was a setting."""
_CONFIG_NAME = "config-file"

logger = logging.getLogger("supervisor")


class _Plan(msgspec.Struct):
    unattended_seconds: float = DEFAULT_UNATTENDED_SECONDS


class _Rollout(msgspec.Struct):
    id: str
    plan: _Plan


class LeaseRow(NamedTuple):
    """The lease as it is stored; each renewal changes it."""

    epoch: int
    holder: str
    expires: float


class RolloutWatch:
    """Looks into the journal now and then; never waits for it."""

    def __init__(self, state_dir: Path, attend: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._journal = state_dir / "journal.sqlite"
        self._attend = attend
        self._looked_at = float("-inf")
        self._unattended: str | None = None
        self._since = 0.0
        self._lease: LeaseRow | None = None
        self._running: subprocess.Popen[bytes] | None = None

    def turn(self, now: float) -> None:
        """Take a look, if it is time for one."""
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        self._reap()
        try:
            rollout, lease = read_open_rollout(self._journal)
            rollout = None if self._is_attended(lease) else rollout
        except (sqlite3.Error, msgspec.MsgspecError, OSError):
            return  # busy, or of a later version: neither with an engine nor without
        if rollout is None or rollout.id != self._unattended:
            self._unattended, self._since = rollout.id if rollout else None, now
        if rollout is None or now - self._since < rollout.plan.unattended_seconds:
            return
        if self._running is None:
            logger.warning("rollout %s has no engine: starting `isshoni attend`", rollout.id)
            self._running = self._attend()
            self._since = now  # not again before as long a time has passed

    def _is_attended(self, lease: LeaseRow | None) -> bool:
        """True if an engine lives that has renewed its lease since the last look.

        It does so several times a second, so no clock is asked: the machine's may be set.
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
    """Return the rollout that is not over, and the lease; waits for no lock."""
    if not journal.exists():
        return None, None
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=0)) as db:
        state = db.execute("SELECT state FROM rollouts WHERE outcome = 'running'").fetchone()
        row = db.execute("SELECT epoch, holder, expires FROM lease").fetchone()
    lease = None if row is None or row[1] is None else LeaseRow(*row)
    return state and msgspec.json.decode(state[0], type=_Rollout), lease


def remember_config(state_dir: Path, config_file: Path | None) -> None:
    """Keep where the configuration of the last command is, for `isshoni attend`."""
    kept = state_dir / _CONFIG_NAME
    content = str(config_file.absolute()).encode() if config_file else b""
    if read_bytes(kept) != content:
        write_atomically(kept, content, durable=False)


def start_attending(state_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `isshoni attend` on this state directory; its output goes to `log`."""
    environ = os.environ | {"ISSHONI_STATE_DIR": str(state_dir)}
    environ.pop("ISSHONI_CONFIG", None)
    named = (read_bytes(state_dir / _CONFIG_NAME) or b"").decode()
    if named and Path(named).exists():
        environ["ISSHONI_CONFIG"] = named
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "isshoni.cli", "attend"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=state_dir,
            env=environ,
            start_new_session=True,
        )
