"""The life of one program: started, restarted with growing pauses, stopped."""

import msgspec

from isshoni.environments.local.logs import last_words
from isshoni.environments.local.process import (
    CannotStart,
    Process,
    StillHeld,
    find_holder,
    find_process,
    kill_group,
    spawn,
)
from isshoni.environments.local.programs import Observed, Program, ProgramFiles

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
HEALTHY_AFTER_SECONDS = 10.0


class Keeper:
    """Keeps one name's program as its file wants it. Each `turn` is one step."""

    def __init__(self, name: str, files: ProgramFiles) -> None:
        self.name = name
        self._files = files
        self._process: Process | None = None
        self._observed = files.observed(name) or Observed(revision="")
        self._log_start = 0
        self._started_at = 0.0
        self._start_after = 0.0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._kill_at: float | None = None
        """Set once SIGTERM was sent: it is stopping, whatever is wanted meanwhile."""
        self._adopted = False

    def turn(self, wanted: Program | None, now: float) -> bool:
        """Take one step at the monotonic time `now`; False: nothing is left to keep."""
        if not self._adopted and not self._adopt(now):
            return True
        if self._process is not None:
            words = self._process.exit_words()
            if words is None:
                self._keep(wanted, now)
                return True
            self._bury(words, now)
        if wanted is None:
            self._files.forget(self.name)
            return False
        self._start(wanted, now)
        return True

    def _adopt(self, now: float) -> bool:
        """Find a copy that an earlier supervisor started; False: ask again."""
        seen = self._observed
        try:
            holder = find_holder(self._files.lock_path(self.name))
        except StillHeld:
            return False
        if holder is not None:
            self._process = find_process(holder.pid, holder.revision)
        elif seen.pid is not None:  # a program that closed the files it inherited
            self._process = find_process(seen.pid, seen.revision, seen.create_time)
        self._adopted = True
        self._started_at = now
        if self._process is not None:
            if self._process.revision != seen.revision:
                self._observed = Observed(revision=self._process.revision)
            if holder is not None:
                self._record(stop_seconds=holder.stop_seconds)
            self._record(pid=self._process.pid, create_time=self._process.create_time)
        elif seen.pid is not None:
            self._bury("it ended while no supervisor ran, exit code unknown", now)
        return True

    def _keep(self, wanted: Program | None, now: float) -> None:
        assert self._process is not None
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._process.kill_group()
        elif wanted is None or wanted.revision != self._process.revision:
            self._process.terminate()
            self._kill_at = now + self._observed.stop_seconds
        elif now - self._started_at > HEALTHY_AFTER_SECONDS:
            self._pause_seconds = FIRST_PAUSE_SECONDS

    def _bury(self, words: str, now: float) -> None:
        pid = self._process.pid if self._process else self._observed.pid
        if pid is not None and self._process is not None:
            kill_group(pid)  # what it left behind would hold its ports and its lock
        was_asked = self._kill_at is not None
        self._process, self._kill_at = None, None
        if was_asked:
            self._record(pid=None, create_time=None)
            return
        spoken = last_words(self._files.log_path(self.name), since=self._log_start)
        self._record(
            pid=None, create_time=None, last_exit=f"{words}: {spoken}" if spoken else words
        )
        self._put_off(now)

    def _put_off(self, now: float) -> None:
        self._start_after = now + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)

    def _start(self, wanted: Program, now: float) -> None:
        if wanted.revision != self._observed.revision:
            self._observed = Observed(wanted.revision)
            self._start_after, self._pause_seconds = now, FIRST_PAUSE_SECONDS
        if now < self._start_after:
            return
        self._log_start = _size_of(self._files, self.name)
        try:
            self._process = spawn(wanted, self._files.lock_path(self.name))
        except StillHeld:
            self._clear_leftovers()
            return
        except CannotStart as fault:
            self._record(last_exit=str(fault), stop_seconds=wanted.stop_seconds)
            self._put_off(now)
            return
        self._started_at = now
        self._record(
            pid=self._process.pid,
            create_time=self._process.create_time,
            stop_seconds=wanted.stop_seconds,
            restarts=self._observed.restarts + (self._observed.last_exit is not None),
        )

    def _clear_leftovers(self) -> None:
        """Kill children of a dead main process that still hold its lock."""
        try:
            holder = find_holder(self._files.lock_path(self.name))
        except StillHeld:
            return
        if holder is not None:
            kill_group(holder.pid)

    def _record(self, **changes: object) -> None:
        self._observed = msgspec.structs.replace(self._observed, **changes)
        self._files.record(self.name, self._observed)


def _size_of(files: ProgramFiles, name: str) -> int:
    path = files.log_path(name)
    return path.stat().st_size if path.exists() else 0
