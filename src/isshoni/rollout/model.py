"""The values that rollouts work with: slots, weights, releases and what is observed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Colour = Literal["blue", "green"]
COLOURS: tuple[Colour, Colour] = ("blue", "green")


def other(colour: Colour) -> Colour:
    """Return the slot that is not `colour`."""
    return "green" if colour == "blue" else "blue"


@dataclass(frozen=True)
class Weights:
    """Shares of new connections, whole percents that sum to 100."""

    blue: int
    green: int

    def __post_init__(self) -> None:
        if min(self.blue, self.green) < 0 or self.blue + self.green != 100:
            raise ValueError(f"weights must be 0–100 and sum to 100, not {self}")

    @classmethod
    def favouring(cls, colour: Colour, share: int) -> "Weights":
        """Return weights with `share` for `colour` and the rest for the other slot."""
        return cls(share, 100 - share) if colour == "blue" else cls(100 - share, share)

    def of(self, colour: Colour) -> int:
        """Return the share of `colour`."""
        return self.blue if colour == "blue" else self.green

    def __str__(self) -> str:
        return f"blue {self.blue} % / green {self.green} %"


PROFILES = (
    "auto",
    "plain",
    "yjs",
    "hocuspocus",
    "socket.io",
    "phoenix",
    "actioncable",
    "channels",
)
"""What the relay may know of a program's protocol; `auto`: it finds out by itself."""


@dataclass(frozen=True)
class Relaying:
    """How the relay handles the sockets of a program that cannot move its clients itself."""

    profile: str = "auto"
    """What the relay knows of the program's protocol (docs/profiles.md)."""
    session_key: str = "path"
    """What the clients of one session share; they move together."""
    preamble_messages: int = 0
    """How many of a client's first messages a new program is sent again, with `plain`."""
    new_sockets: bool = True
    """False: new WebSockets go straight to the program; the relay moves those that it has from
    an earlier release."""
    probe_path: str | None = None
    """Where each process of a candidate must open a WebSocket before it gets clients; None: only
    the ready path is asked."""


@dataclass(frozen=True)
class Release:
    """What is deployed: a name that users see, and where the program comes from."""

    label: str
    source: str | None = None
    """None: the installed Isshoni. Else a directory, a wheel or `git:REF`."""
    command: str | None = None
    """None: Isshoni's own backend. Else a command line template with
    `{host}`, `{port}`, `{admin_port}`, `{colour}`, `{version}`."""
    ready_path: str = "/readyz"
    content: str | None = None
    """The content id of `source` when it was deployed: its kind and a digest (`git-COMMIT`,
    `directory-SHA256`, `wheel-SHA256`). None: there is no source, or not yet resolved."""
    directory: str | None = None
    """The repository of a commit, or the working directory of a command without a source."""
    relay: Relaying | None = None
    """None: the relay has none of its sockets. Releases in journals of earlier versions have
    none."""
    cwd: str | None = None
    """The directory of the source that its commands run in; None: the source's own."""
    side_programs: tuple[tuple[str, str], ...] = ()
    """Names and command lines of programs that run on the slot beside its own, like a worker."""
    variables: tuple[str, ...] = ()
    """Names of the environment variables that it was deployed with. They may be secrets: only
    the environment keeps their values."""
    variables_id: str | None = None
    """By which the environment finds the values; it says nothing about them."""

    @property
    def name(self) -> str:
        """Return the label, with the commit or digest if known."""
        return f"{self.label} ({self.short_content})" if self.content else self.label

    @property
    def short_content(self) -> str | None:
        """Return the content id as shown to users: `commit 0123456789ab`."""
        if self.content is None:
            return None
        kind, _, digest = self.content.partition("-")
        return f"{'commit' if kind == 'git' else kind} {digest[:12]}"

    def is_request_for(self, other: "Release") -> bool:
        """True if `other` is the release that this one asks for.

        Content, directory and relay are compared only if both have them: releases in journals
        of earlier versions have none of them.
        """
        names = ("content", "directory", "relay")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        agree = all(None in pair or pair[0] == pair[1] for pair in pairs.values())
        return agree and replace(self, **{name: pair[1] for name, pair in pairs.items()}) == other

    @property
    def speaks_admin_api(self) -> bool:
        """True if its backends have an admin API of their own, so that no relay is needed.

        A program with a command of its own has one if the command takes `{admin_port}`.
        """
        return self.command is None or "{admin_port}" in self.command

    @property
    def can_move_clients(self) -> bool:
        """True if its clients can be moved: its backends do it, or the relay in front of it."""
        return self.speaks_admin_api or self.relay is not None


@dataclass(frozen=True)
class SlotState:
    """What runs on a colour, as the environment sees it."""

    release: Release | None = None
    """None: the slot is meant to be empty."""
    running: bool = False
    healthy: bool = False
    """The load balancer's own health check passes."""
    restarts: int = 0
    """Times it died and was started again since it was put on the slot."""
    last_exit: str | None = None
    """How it last died, in words ("exit code 3", "signal 9"), with its last words."""
    side_programs_down: tuple[str, ...] = ()
    """The side programs that do not run at the moment, each with its last exit."""
    changing: bool = False
    """True: something changes it, perhaps for an engine that died; an empty slot may fill."""
    start_fault: str | None = None
    """Why the environment cannot start all of its program at present; None if it does not say."""


@dataclass(frozen=True)
class TrafficSample:
    """A colour's counters on the load balancer; connections and targets can fall too."""

    open_connections: int = 0
    requests: int = 0
    upgrades: int = 0
    """Sockets opened (101)."""
    errors_5xx: int = 0
    refused: int = 0
    """Connections or upgrades that the colour did not accept."""
    targets: int = 0
    """The machines that should serve; 0: the load balancer does not tell them apart."""
    healthy_targets: int = 0
    """Those of them that pass its health check."""
    probe_requests: int = 0
    """Requests of probes among the open connections, if the balancer tells them apart."""


@dataclass(frozen=True)
class FiringAlarm:
    """An alarm of an outside monitor that fires now."""

    name: str
    colour: Colour | None = None
    """The only slot whose figures it watches; None: figures of both, or of neither."""
    figures_from: float | None = None
    """When the figures begin that raised it, in seconds since 1970; None if unknown."""
    window_seconds: float = 0.0
    """Over how long it looks back."""


@dataclass(frozen=True)
class MigrationStatus:
    """The progress of a move of live sessions."""

    to: str
    """A colour, or a process like `green-1`."""
    told: int
    """Clients asked to move."""
    moved: int
    closed: int
    remaining: int
    """Connections of the share that may still move."""
    done: bool
    rate_per_second: float = 0.0
    share_pct: float = 100.0
    waiting: int = 0
    """Clients that were asked, still have time, and have not moved; 0 in older releases."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Clients of a relay whose last try to move failed, by reason."""
    closed_for: Mapping[str, int] = field(default_factory=dict)
    """Clients that a relay closed because they could not be moved, by reason."""
    close_over_seconds: float | None = None
    """The time over which a relay spreads its closes; None: it is no relay."""


@dataclass(frozen=True)
class Formats:
    """The formats of stored data, by name, that a version writes and reads."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class ProcessStatus:
    """One process of a slot, or one instance on AWS."""

    name: str
    """`green-1`; on AWS the id of the instance."""
    pid: int | None = None
    version: str | None = None
    """None: it does not answer."""
    ready: bool = False
    reason: str | None = None
    """Why it is not ready."""
    connections: int = 0
    sessions: int = 0
    cpu_pct: float = 0.0
    """Of one core."""
    restarts: int = 0
    evacuated: bool = False
    """True: the load balancer sends it no new connections."""
    gauges: Mapping[str, float] = field(default_factory=dict)
    migration: MigrationStatus | None = None


@dataclass(frozen=True)
class BackendStatus:
    """What a colour's backend reports of itself (docs/admin-api.md)."""

    version: str
    ready: bool
    draining: bool
    connections: int
    sessions: int
    counters: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    migration: MigrationStatus | None = None
    not_ready_reason: str | None = None
    formats: Formats | None = None
    """None: a version that does not report them."""
    histograms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By name: how many values were at most each bound (seconds, `+Inf` last)."""
    speaks_isshoni: bool = False
    """True if clients of docs/protocol.md can talk to it."""
    limit: str | None = None
    """Why it can save nothing at present, although it serves stored data; or None."""
    redis_findings: tuple[str, ...] = ()
    """Findings about the settings of Redis, a sentence each."""
    protocol: int | None = None
    """The version of the wire protocol it reports; None if it has its own protocol."""
    most_connections: int | None = None
    """The connections, were each process as full as the fullest; None: it is one process.

    The processes share the rate of a move evenly, so the fullest one is the last to be empty."""
    pid: int | None = None
    processes: tuple[ProcessStatus, ...] = ()
    """Each process of the slot, if its environment can tell them apart."""
    relayed: bool = False
    """True: its connections are those that the relay has, which the balancer does not count."""
    standby_ready: bool | None = None
    """True if it stands by, and could serve if its region took over now; None: no regions."""
    standby_reason: str | None = None
    """Why it could not."""


@dataclass(frozen=True)
class Proof:
    """The proof that a new colour reached Redis and read real sessions (spec C2)."""

    redis: bool
    sampled: int
    readable: int
    fault: str | None = None
    unreadable: tuple[str, ...] = ()
    """The sessions that it could not read."""
    damaged: int = 0
    """Sessions that were left out, because stable cannot read them either."""
    warnings: tuple[str, ...] = ()
    """Findings about the settings of Redis, which are not the fault of the candidate."""
    shown: str | None = None
    """What was proven of a program that knows nothing of Isshoni, in words."""

    @property
    def holds(self) -> bool:
        """True if the colour may serve users."""
        return self.redis and self.readable == self.sampled and self.fault is None

    @property
    def broke_off(self) -> bool:
        """True if it ended before every session was tried: it proves no fault then."""
        return self.fault is not None and self.readable + len(self.unreadable) < self.sampled

    def excuse(self, stable: "Proof") -> "Proof":
        """Return the proof without the sessions that `stable` cannot read either.

        A session counts against the candidate only if stable can read it. A proof that broke off
        is returned unchanged, and so is one in which the candidate could read nothing.
        """
        unread = len(self.unreadable)
        if self.readable + unread < self.sampled or not (
            stable.redis and set(self.unreadable) <= set(stable.unreadable)
        ):
            return self
        if not self.readable:
            return self
        return replace(self, sampled=self.readable, fault=None, unreadable=(), damaged=unread)


@dataclass(frozen=True)
class ProbeTally:
    """The results of one round of synthetic users on a colour."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """`entries`, `turned_away`, `messages`, `unacked`, `lost`, `doubled`."""
    fault: str | None = None
    """The first thing that went wrong, in words."""


@dataclass(frozen=True)
class Stable:
    """The colour and release that serve when no rollout runs."""

    colour: Colour
    release: Release
    returned: bool = field(default=False, compare=False)
    """True if a rollback deployed it: later rollbacks skip the releases it replaced."""
    since: float | None = field(default=None, compare=False)
    """Since when it serves all clients; None if an earlier version stored it."""


@dataclass(frozen=True)
class Observation:
    """Everything that the engine observed in one turn."""

    slots: Mapping[Colour, SlotState]
    weights: Weights | None
    """Weights verified on the load balancer; None if they cannot be read."""
    traffic: Mapping[Colour, TrafficSample]
    backends: Mapping[Colour, BackendStatus | None]
    """None: nothing answers on the admin port, or the release has none."""
    alarms: frozenset[FiringAlarm] = frozenset()
    """The alarms that fire, whatever created them."""
    starting: bool = False
    """True while the engine starts a slot or ends a cancelled start: it may still fill."""
