"""What a failover knows of the two regions, and its own state, as the journal stores it."""

from dataclasses import dataclass, field, replace
from typing import Literal

from isshoni.rollout.failover.steps import PLANS, Mode, Step, StepName

Outcome = Literal["running", "promoted", "back", "stuck"]
"""`back`: the region from before writes again, and nothing was lost."""


@dataclass(frozen=True)
class RegionRecord:
    """The record in Redis that says which region writes."""

    term: int
    """Grows with each change."""
    writer: str
    """The name of the region that writes; empty: fenced, none does."""


@dataclass(frozen=True)
class Lag:
    """How far the Redis of a standby is behind."""

    link: str = "down"
    bytes: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        sizes = [] if self.bytes is None else [f"{self.bytes} bytes"]
        times = [] if self.seconds is None else [f"{self.seconds:.1f} s"]
        return f"{' / '.join(times + sizes) or 'unknown'}, the link is {self.link}"


@dataclass(frozen=True)
class ProcessSeen:
    """What one process of a region reports."""

    name: str
    record: RegionRecord | None = None
    ready: bool = False
    standby_ready: bool = False
    reason: str | None = None
    in_flight: int = 0
    connections: int = 0
    lag: Lag | None = None
    stamp: int = 0
    """How many processes had no write in flight any more under this record's term."""
    redis_role: Literal["master", "slave"] | None = None
    """What its Redis is, as the process sees it."""


@dataclass(frozen=True)
class RegionSeen:
    """One observation of a region."""

    name: str
    processes: tuple[ProcessSeen, ...] = ()
    """The processes that answered."""
    silent: tuple[str, ...] = ()
    """Processes that should run, and did not answer."""
    release: str | None = None
    redis_role: Literal["master", "slave"] | None = None
    """None: its Redis does not answer."""
    redis_link: str = ""
    """Of a replica: `up` once it has everything that was written before."""
    public: bool = False
    """True if new users get in at its public address."""
    is_blocked: bool = False
    """True if its programs are stopped, so that it cannot write."""
    fault: str | None = None
    measured_lag: Lag | None = None
    """How far its Redis was behind as something else measured it, if no process knows."""

    @property
    def answers(self) -> bool:
        """True if every process that should run answers."""
        return bool(self.processes) and not self.silent

    @property
    def record(self) -> RegionRecord | None:
        """Return the newest record that any of its processes knows."""
        known = [each.record for each in self.processes if each.record is not None]
        return max(known, key=lambda record: record.term, default=None)

    @property
    def stamp(self) -> int:
        """Return the greatest stamp that any of its processes knows."""
        return max((each.stamp for each in self.processes), default=0)

    @property
    def connections(self) -> int:
        """Return the number of its open connections."""
        return sum(each.connections for each in self.processes)

    @property
    def lag(self) -> Lag | None:
        """Return the greatest lag that a process reports."""
        lags = [each.lag for each in self.processes if each.lag is not None]
        return max(lags, key=lambda lag: lag.seconds or 0.0, default=self.measured_lag)


@dataclass(frozen=True)
class StepTiming:
    """When a step ran."""

    step: StepName
    began: float
    ended: float


@dataclass(frozen=True)
class Failover:
    """One attempt to move from one region to the other."""

    id: str
    mode: Mode
    source: str
    target: str
    began: float
    step_index: int = 0
    step_began: float = 0.0
    waiting_since: float = 0.0
    """When the step last made progress: its bound counts from then."""
    term: int = 0
    """The greatest term that this failover has used; 0: none yet."""
    fence_stamp: int = 0
    """The stamp of the fence, once every process of the source had confirmed it."""
    recorded_for: str = ""
    """The step that chose the term."""
    outcome: Outcome = "running"
    reason: str = ""
    ended: float | None = None
    reverting: str = ""
    """Why it goes back; empty: it does not."""
    paused_by: str = ""
    requests_seen: int = 0
    missing: Lag | None = None
    """In an emergency: what the standby lacked at most, as it last reported."""
    least_connections: int | None = None
    """The fewest connections that the source had while sessions move."""
    warnings: tuple[str, ...] = ()
    timings: tuple[StepTiming, ...] = ()
    version: int = 1
    faults: dict[str, str] = field(default_factory=dict)
    """The last fault of each step's action."""
    bounds: dict[str, float] = field(default_factory=dict)
    """How long a step may take without progress where it is not its default, by its name."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps that this failover goes through."""
        return PLANS["back" if self.reverting else self.mode]

    @property
    def step(self) -> Step:
        """Return the present step."""
        return self.steps[min(self.step_index, len(self.steps) - 1)]

    @property
    def step_seconds(self) -> float:
        """Return how long the present step may take without progress."""
        return self.bounds.get(self.step.name, self.step.seconds)

    @property
    def can_turn_back(self) -> bool:
        """True until the step that lets the other region write."""
        return self.mode == "planned" and not self.reverting and self.step.before_opening

    def take_up(self, now: float) -> "Failover":
        """Return it for an engine that continues it; time without one does not count."""
        return replace(
            self, outcome="running", reason="", ended=None, step_began=now, waiting_since=now
        )

    def make_emergency(self, now: float) -> "Failover":
        """Return a planned one that goes on as an emergency: its source was lost."""
        return replace(
            self.take_up(now), mode="emergency", step_index=0, reverting="", paused_by=""
        )
