"""Start, restart (with growing pauses) and stop one program."""

import msgspec

from isshoni.backend.process.succession import TOOK_OVER
from isshoni.environments.local.hang_watch import HangWatch
from isshoni.environments.local.logs import last_words
from isshoni.environments.local.process import (
    CannotStart,
    Holder,
    Process,
    StillHeld,
    find_holder,
    find_observed,
    find_process,
    kill_group,
    spawn,
)
from isshoni.environments.local.programs import Observed, Program, ProgramFiles
from isshoni.environments.local.standby import Standby

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
HEALTHY_AFTER_SECONDS = 10.0
SPARE_AFTER_SECONDS = 5.0
"""From a start to loading a spare, so that reconnecting clients are served first."""


class Keeper:
    """Makes one program run as its file says; each `turn` is one step towards that."""

    def __init__(self, name: str, files: ProgramFiles) -> None:
        self.name = name
        self._files = files
        self._process: Process | None = None
        self._standby = Standby(name, files)
        self._observed = files.observed(name) or Observed(revision="")
        self._log_start = 0
        self._started_at = 0.0
        self._start_after = 0.0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._kill_at: float | None = None
        """When to send SIGKILL; set once SIGTERM was sent, and not cancelled by a new wish."""
        self._adopted = False
        self._hang = HangWatch(name)

    def turn(self, wanted: Program | None, now: float, *, quiet: bool = False) -> bool:
        """Do one step at the monotonic time `now`; return False if nothing is left to do.

        `quiet`: no rollout is running, so a spare may be loaded.
        """
        if not self._adopted and not self._adopt(now):
            return True
        if self._process is not None:
            words = self._process.exit_words()
            if words is None:
                self._keep(wanted, now, quiet=quiet)
                return True
            self._clean_up(words, now)
            if self._process is not None:
                return True
        if wanted is None:
            self._files.forget(self.name)
            return False
        self._start(wanted, now)
        return True

    def _adopt(self, now: float) -> bool:
        """Adopt a process that an earlier supervisor started; return False to be called again."""
        seen = self._observed
        try:
            holders = [find_holder(path) for path in self._files.lock_paths(self.name)]
        except StillHeld:
            return False
        self._adopted = True
        self._started_at = now
        held = {holder.pid: holder for holder in holders if holder is not None}
        found = [find_process(holder.pid, holder.revision) for holder in held.values()]
        alive = sorted(filter(None, found), key=lambda process: process.pid != seen.pid)
        if not alive and seen.pid is not None:  # the program closed the lock file that it inherited
            alive = list(filter(None, [find_observed(seen)]))
        if len(alive) == 2:
            self._standby.adopt(alive[1])
        died = seen.pid is not None and all(process.pid != seen.pid for process in alive)
        if died and alive and alive[0].revision != seen.revision:
            died = False  # another revision took over from it
        if died:
            self._record_death("it ended while no supervisor ran, exit code unknown", now)
        if alive:
            self._adopt_process(alive[0], held.get(alive[0].pid), took_over=died)
        return True

    def _adopt_process(self, process: Process, holder: Holder | None, *, took_over: bool) -> None:
        self._process = process
        if process.revision != self._observed.revision:
            self._observed = Observed(revision=process.revision)
        if holder is not None:
            self._record(stop_seconds=holder.stop_seconds)
        self._record_start(process, restarted=took_over)

    def _keep(self, wanted: Program | None, now: float, *, quiet: bool) -> None:
        assert self._process is not None
        seconds = now - self._started_at
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._process.kill_group()
            return
        if wanted is not None and wanted.takes_over and wanted.revision != self._process.revision:
            self._replace(wanted)
        elif wanted is None or wanted.revision != self._process.revision:
            self._standby.end()  # first: a spare takes over when the other process ends
            self._process.terminate()
            self._kill_at = now + self._observed.stop_seconds
            return
        before = self._observed.answered
        if before != self._hang.turn(wanted, self._process, now, answered=before):
            self._record(answered=True)
        if seconds > HEALTHY_AFTER_SECONDS:
            self._pause_seconds = FIRST_PAUSE_SECONDS
        if quiet and wanted.spare and seconds > SPARE_AFTER_SECONDS:
            self._standby.keep(wanted, self._process)
            if self._standby.pid != self._observed.spare_pid:
                self._record(spare_pid=self._standby.pid)

    def _replace(self, wanted: Program) -> None:
        """Let another process take over from the running one, which ends when it has."""
        fault = self._standby.replace(wanted)
        if (fault, self._standby.pid) != (self._observed.upgrade_fault, self._observed.spare_pid):
            self._record(upgrade_fault=fault, spare_pid=self._standby.pid)

    def _clean_up(self, words: str, now: float) -> None:
        """Clean up after a dead process; its spare, if there is one, becomes the program."""
        assert self._process is not None
        hung = self._hang.reason is not None
        if hung:
            words = f"{self._hang.reason} ({words})"
        self._hang.close()
        self._hang = HangWatch(self.name)
        self._process.kill_group()  # its children would hold its ports and its lock
        self._process.close_line()
        before, self._process = self._process, self._standby.remove_live()
        replaced = self._process is not None and self._process.revision != before.revision
        if self._kill_at is None and replaced and not hung and "signal" not in words:
            self._record_replacement(now)
        elif self._kill_at is None:
            self._record_death(words, now, quotes_log=not hung)
            if self._process is not None:
                self._started_at = now
                self._log_start = _size_of(self._files, self.name)
                self._record_start(self._process, restarted=True)
        elif self._process is None:  # else a spare took over just then, and got SIGTERM too
            self._kill_at = None
            self._record(pid=None, create_time=None, spare_pid=None)

    def _record_replacement(self, now: float) -> None:
        """Record the process of another revision that has taken over."""
        assert self._process is not None
        self._started_at = now
        stop_seconds = self._observed.stop_seconds
        self._observed = Observed(self._process.revision, stop_seconds=stop_seconds, answered=True)
        self._record_start(self._process, restarted=False)

    def _record_death(self, words: str, now: float, *, quotes_log: bool = True) -> None:
        # The last line before a hang is not the reason of the hang.
        log_path, before = self._files.log_path(self.name), f"event={TOOK_OVER} "
        spoken = last_words(log_path, since=self._log_start, before=before) if quotes_log else ""
        last_exit = f"{words}: {spoken}" if spoken else words
        self._record(pid=None, create_time=None, spare_pid=None, last_exit=last_exit)
        self._put_off(now)

    def _put_off(self, now: float) -> None:
        self._start_after = now + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)

    def _start(self, wanted: Program, now: float) -> None:
        if wanted.revision != self._observed.revision:
            log_start = _size_of(self._files, self.name)
            self._observed = Observed(wanted.revision, log_start=log_start)
            self._standby = Standby(self.name, self._files)  # this revision may support spares
            self._start_after, self._pause_seconds = now, FIRST_PAUSE_SECONDS
        if now < self._start_after or self._has_leftovers():
            return
        self._log_start = _size_of(self._files, self.name)
        try:
            self._process = spawn(wanted, self._files.lock_path(self.name))
        except StillHeld:
            return
        except CannotStart as fault:
            self._record_failed_start(str(fault), wanted.stop_seconds)
            self._put_off(now)
            return
        self._started_at = now
        self._record(stop_seconds=wanted.stop_seconds, answered=False)
        self._record_start(self._process, restarted=self._observed.last_exit is not None)

    def _record_failed_start(self, words: str, stop_seconds: float) -> None:
        """Count it as a restart unless it is the first start, so that a wait for it ends soon."""
        again = self._observed.last_exit is not None
        self._record(
            last_exit=words, stop_seconds=stop_seconds, restarts=self._observed.restarts + again
        )

    def _has_leftovers(self) -> bool:
        """Kill children of a dead main process; return True if any still held its lock."""
        try:
            holders = [find_holder(path) for path in self._files.lock_paths(self.name)]
        except StillHeld:
            return True
        for holder in filter(None, holders):
            kill_group(holder.pid)
        return any(holders)

    def _record_start(self, process: Process, *, restarted: bool) -> None:
        self._record(
            pid=process.pid,
            create_time=process.create_time,
            identity=process.identity,
            restarts=self._observed.restarts + restarted,
            spare_pid=self._standby.pid,
        )

    def _record(self, **changes: object) -> None:
        self._observed = msgspec.structs.replace(self._observed, **changes)
        self._files.record(self.name, self._observed)


def _size_of(files: ProgramFiles, name: str) -> int:
    path = files.log_path(name)
    return path.stat().st_size if path.exists() else 0
