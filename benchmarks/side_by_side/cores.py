"""Which core runs what, and who used how much of them."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import psutil
from benchmarks.side_by_side.errors import Unavailable

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """One core for the server that is measured, one for Redis and the load."""

    server: int
    load: int
    shared: bool = False
    """True if they are two threads of one physical core, which slow each other down."""


def choose_cores() -> Cores:
    """Return two cores of this process; raises `Unavailable` if it has only one."""
    if not hasattr(os, "sched_setaffinity"):
        raise Unavailable("programs can be bound to a core on Linux only, and it is needed here")
    server, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise Unavailable("two cores are needed: one for the server, one for Redis and the load")
    return pick_load_core(server, others, _threads_beside(server))


def pick_load_core(server: int, others: Sequence[int], beside: Set[int]) -> Cores:
    """Return a pair on two physical cores if there is one; `beside` shares the server's."""
    apart = [core for core in others if core not in beside]
    return Cores(server, (apart or others)[0], shared=not apart)


def _threads_beside(core: int) -> set[int]:
    listed = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        ranges = [part.split("-") for part in listed.read_text().strip().split(",")]
    except OSError:  # not every virtual machine shows it
        return set()
    return {core for ends in ranges for core in range(int(ends[0]), int(ends[-1]) + 1)}


@contextlib.contextmanager
def started_on(core: int) -> Iterator[None]:
    """Bind every program that is started in this block to a core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def before_all_others(programs: Iterable[int]) -> Iterator[None]:
    """Run programs at real-time priority in this block; raises `Unavailable` without the right to.

    A program that wakes up may otherwise wait for the rest of another one's time slice: 3 ms.
    """
    given: list[int] = []
    try:
        for program in programs:
            _set_real_time(program)
            given.append(program)
        yield
    finally:
        for program in given:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(program, os.SCHED_OTHER, os.sched_param(0))


def _set_real_time(program: int) -> None:
    try:
        # Not for what it starts: a canvas worker is not what is measured.
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(program, policy, os.sched_param(1))
    except PermissionError:
        raise Unavailable("--realtime needs root, or the capability CAP_SYS_NICE") from None


@dataclass(frozen=True)
class CpuSample:
    """CPU seconds used until a moment: of two cores, and of our own programs."""

    at: float
    busy: float
    stolen: float
    own: float
    server: float

    @classmethod
    def take(cls, cores: Cores, server: int, others: Iterable[int]) -> "CpuSample":
        """Read the counters; `server` and `others` are the ids of our own programs."""
        busy, stolen = _read_cores(cores)
        used = {pid: _used_by(pid) for pid in {server, *others}}
        own = sum(used.values()) + time.process_time()
        return cls(time.monotonic(), busy, stolen, own, used[server])


def _read_cores(cores: Cores) -> tuple[float, float]:
    busy = stolen = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *counts = line.split()
        if name in (f"cpu{cores.server}", f"cpu{cores.load}"):
            user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(int, counts[:8])
            # Interrupts are left out: those of our own traffic are in no program's time.
            busy += user + nice + system
            stolen += steal
    return busy / TICKS, stolen / TICKS


def _used_by(pid: int) -> float:
    """Return the CPU seconds of a program and of the ones it started."""
    try:
        program = psutil.Process(pid)
        family = [program, *program.children(recursive=True)]
        return sum(_used_alone(member) for member in family)
    except psutil.NoSuchProcess:
        return 0.0


def _used_alone(program: psutil.Process) -> float:
    times = program.cpu_times()
    # What its ended children used counts as theirs: they were ours too.
    return float(times.user + times.system + times.children_user + times.children_system)
