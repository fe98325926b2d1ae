"""What a run is made of: how many users, how long, how talkative, how patient."""

from dataclasses import dataclass, field

from isshoni.errors import ExitCode, IsshoniError
from isshoni.plurals import count
from isshoni.verify.sla import SlaLimits
from isshoni.verify.users import Habits

FULL_CLIENTS = 100
FULL_SHARE = 10


class InvalidRun(IsshoniError):
    """A run that cannot be made; nothing was started."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class PlannedDeploy:
    """A deploy to make during the run, and how it should end."""

    version: str
    expected: str = "promoted"
    is_command: bool = False
    """True if `version` is a shell command."""

    @property
    def stage(self) -> str:
        """The name of the stage of a run in which it is made."""
        return f"run `{self.version}`" if self.is_command else f"deploy {self.version}"


@dataclass(frozen=True)
class RunSettings:
    """Settings of one run; the same seed sends the same messages and edits."""

    clients: int = 50
    sessions: int = 10
    restless: int = 0
    """Additional users that restart again and again under the same client_id (restless.py)."""
    passing: int = 0
    """Additional users that end again and again, and come back under a new client_id."""
    full_clients: int | None = None
    """So many users are whole clients, the others lean ones; None for `full`'s default."""
    seed: int = 1
    talk_seconds: float = 30.0
    """Talk for so long at least, deploys included."""
    quiet_seconds: float = 5.0
    """Talk before the first deploy, and after each one."""
    habits: Habits = field(default_factory=Habits)
    connects_per_second: float = 200.0
    """Highest rate of arrivals; fewer come while earlier ones wait for their restore."""
    workers: int = 1
    """Processes that the users are divided among, by session; 1 is this process itself."""
    warm_up_seconds: float | None = None
    """From the last arrival to the baseline of the delivery times; None for `warm_up`'s default."""
    join_seconds: float = 15.0
    """Until all users must have joined, after the last began to connect."""
    settle_seconds: float = 15.0
    """Until all must be acknowledged, saved and delivered, after the last message."""
    token: str | None = field(default=None, repr=False)
    """A session token for all sessions (`*`), where the platform asks for one."""
    strict: bool = False
    """True if our own targets, stricter than the SLA, count too."""
    limits: SlaLimits = field(default_factory=SlaLimits)

    @property
    def full(self) -> int:
        """How many users are whole clients: by default a tenth, but not fewer than 100."""
        if self.full_clients is not None:
            return min(self.full_clients, self.clients)
        return min(self.clients, max(FULL_CLIENTS, -(-self.clients // FULL_SHARE)))

    @property
    def warm_up(self) -> float:
        """Seconds before the baseline: by default as long as the arrivals took, 1 to 10."""
        if self.warm_up_seconds is not None:
            return self.warm_up_seconds
        return min(10.0, max(1.0, self.clients / self.connects_per_second))

    def __post_init__(self) -> None:
        if not 1 <= self.sessions <= self.clients:
            raise InvalidRun(
                f"{count(self.clients, 'client')} cannot fill {count(self.sessions, 'session')}: "
                "use at least one client, and no more --sessions than --clients"
            )
        if not 1 <= self.workers <= self.sessions:
            raise InvalidRun(
                f"{self.workers} worker processes for {self.sessions} sessions: take at least one "
                "process, and no more processes than sessions (a session stays in one process)"
            )
        for name in (
            "talk_seconds",
            "quiet_seconds",
            "connects_per_second",
            "join_seconds",
            "settle_seconds",
        ):
            if getattr(self, name) <= 0:
                raise InvalidRun(f"{name} is {getattr(self, name)}; it must be above 0")
