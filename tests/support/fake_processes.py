"""The fake of the port `Processes`: processes whose sessions move as time passes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from isshoni.engine.processes import colour_of
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour, MigrationStatus, ProcessStatus
from isshoni.session.server.share import is_in_share


@dataclass
class FakeProcess:
    """One process and its sessions, of one connection each."""

    sessions: set[str] = field(default_factory=set)
    answers: bool = True
    ready: bool = True
    evacuated: bool = False
    order: tuple[str, float, float] | None = None
    unanswered: int = 0
    """How many of the next orders get no answer, and are not followed."""
    moved: int = 0
    gauges: dict[str, float] = field(default_factory=dict)


class FakeProcesses:
    """Processes of one slot; `tick` moves what was ordered."""

    def __init__(self, **sessions: int) -> None:
        self.all = {
            name.replace("_", "-"): FakeProcess({f"{name}-{n}" for n in range(count)})
            for name, count in sessions.items()
        }
        self.obeys_marks = True
        self.rates: list[float] = []

    def tick(self) -> None:
        """Move a few sessions of each process that was ordered to."""
        for process in self.all.values():
            allowed = 1 + round(process.order[1] / 4) if process.order else 0
            for session in self._leaving(process)[:allowed]:
                process.sessions.discard(session)
                self._find_taker(process).sessions.add(session)
                process.moved += 1

    def _leaving(self, process: FakeProcess) -> list[str]:
        if process.order is None or not process.answers:
            return []
        return [s for s in sorted(process.sessions) if is_in_share(s, process.order[2])]

    def _find_taker(self, giver: FakeProcess) -> FakeProcess:
        assert giver.order is not None
        named = self.all.get(giver.order[0])
        others = [p for p in self.all.values() if not p.evacuated and p is not giver]
        return named or min(others, key=lambda process: len(process.sessions))

    async def observe(self, colour: Colour) -> Sequence[ProcessStatus]:
        here = {name: p for name, p in self.all.items() if colour_of(name) == colour}
        return [self._describe(name, process) for name, process in here.items()]

    def _describe(self, name: str, process: FakeProcess) -> ProcessStatus:
        if not process.answers:
            return ProcessStatus(name, reason="it does not answer", evacuated=process.evacuated)
        move = None
        if process.order is not None:
            to, rate, share = process.order
            left = len(self._leaving(process))
            counts = (process.moved + left, process.moved, 0, left, left == 0)
            move = MigrationStatus(to, *counts, rate_per_second=rate, share_pct=share)
        count = len(process.sessions)
        return ProcessStatus(
            name,
            version="v1",
            ready=process.ready,
            reason=None if process.ready else "Redis does not answer",
            connections=count,
            sessions=count,
            evacuated=process.evacuated,
            gauges=process.gauges,
            migration=move,
        )

    def mark_evacuated(self, name: str, evacuated: bool) -> None:
        self._require(name).evacuated = evacuated

    async def verify_evacuated(self, colour: Colour) -> frozenset[str]:
        if not self.obeys_marks:
            return frozenset()
        return frozenset(name for name, process in self.all.items() if process.evacuated)

    async def move(
        self,
        name: str,
        to: str,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
    ) -> None:
        process = self._require(name)
        if not process.answers or process.unanswered:
            process.unanswered -= bool(process.unanswered)
            raise EnvironmentFault(f"{name} does not answer")
        process.order = (to, rate_per_second, share_pct)
        self.rates.append(rate_per_second)

    async def cancel(self, name: str) -> None:
        self._require(name).order = None

    def _require(self, name: str) -> FakeProcess:
        if name not in self.all:
            raise EnvironmentFault(f"there is no process {name!r}")
        return self.all[name]


class ProcessesClock:
    """A clock with which time passes for the processes too."""

    def __init__(self, processes: FakeProcesses) -> None:
        self._processes = processes
        self._now = 1000.0

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += seconds
        self._processes.tick()
