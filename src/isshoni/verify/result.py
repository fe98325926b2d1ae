"""The result of a run, as JSON: everything the report draws, and what scripts read.

Times are seconds since the run began, all from one clock; `_ms` fields are
milliseconds. A field is never renamed or dropped without a new `schema`.
"""

from pathlib import Path

import msgspec

from isshoni.verify.latency import LatencyBucket
from isshoni.verify.percentiles import Percentiles

SCHEMA = 1


class Messages(msgspec.Struct, frozen=True):
    """Chat messages; each counted once, however many users a fault hit."""

    sent: int
    acked: int
    delivered: int
    """Deliveries: each message to each user."""
    lost: int
    """Acknowledged, and missing for a user or in the log."""
    doubled: int
    reordered: int
    foreign: int = 0
    """Deliveries of something that no synthetic user sent like that."""


class WireMessages(msgspec.Struct, frozen=True):
    """Breaches of the protocol on single connections, which full clients mend."""

    lost: int = 0
    doubled: int = 0
    reordered: int = 0


class Edits(msgspec.Struct, frozen=True):
    """Edits of the canvases."""

    sent: int
    saved: int
    lost: int
    diverged_sessions: int
    diverged: tuple[str, ...] = ()
    """Which sessions."""
    foreign: int = 0
    """Elements that no synthetic user of the session drew."""


class GapMs(msgspec.Struct, frozen=True):
    """Time without an open, restored connection, over all clients; 0 when never cut.

    A client's gap is the sum of its cuts in the worst deploy (a deploy lasts until
    the next one begins; what came before the first deploy counts as one, too).
    """

    p50: float
    p99: float
    max: float
    clients_cut: int


class DeliveryMs(msgspec.Struct, frozen=True):
    """From typing to delivery, by when the message was sent."""

    quiet: Percentiles
    """While nothing was deployed."""
    moving: Percentiles
    """While sessions were being moved."""
    quiet_from: float = 0.0
    """What was sent before is in neither: the clients had only just arrived."""


class LoadShare(msgspec.Struct, frozen=True):
    """What the synthetic users themselves took of the machine while they talked."""

    processes: int
    whole_clients: int
    lean_clients: int
    """Clients with a socket and a canvas that cost less; all else as in a whole client."""
    cpu_seconds: float
    machine_cpu_seconds: float
    """Seconds times processors, of the machine that the users ran on."""
    share: float
    """0 to 1."""
    warning: str | None = None


class Phase(msgspec.Struct, frozen=True):
    """A phase of a deploy."""

    name: str
    began_at: float
    ended_at: float


class Deploy(msgspec.Struct, frozen=True):
    """One deploy during the run."""

    version: str
    expected: str
    outcome: str
    began_at: float
    seconds: float
    bake_seconds: float
    rollback_seconds: float | None = None
    phases: tuple[Phase, ...] = ()
    reason: str | None = None


class WeightStep(msgspec.Struct, frozen=True):
    """Verified weights from a moment on."""

    at: float
    blue: int
    green: int


class ColourCount(msgspec.Struct, frozen=True):
    """Open, restored connections per colour at one moment."""

    at: float
    connections: dict[str, int]


class ClientSpan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stretch of one client's time; `colour` is None while it was cut."""

    began_at: float
    ended_at: float
    colour: str | None = None
    version: str | None = None


class ClientTimeline(msgspec.Struct, frozen=True):
    """One client's connection through the whole run."""

    client_id: str
    session_id: str
    gap_ms: float
    spans: tuple[ClientSpan, ...]


class LongCut(msgspec.Struct, frozen=True):
    """A cut so long that the run failed by it, and the part at fault."""

    client_id: str
    began_at: float
    seconds: float
    part: str
    explanation: str


class Limit(msgspec.Struct, frozen=True):
    """One promise, and whether it was kept."""

    name: str
    promise: str
    found: str
    met: bool
    strict: bool = False
    """True: our own target, stricter than the SLA; judged only when asked to."""


class Sla(msgspec.Struct, frozen=True):
    """The verdict; `failed` has a sentence for each broken promise."""

    met: bool
    failed: tuple[str, ...]
    limits: tuple[Limit, ...] = ()


class StockFindings(msgspec.Struct, frozen=True):
    """What only a run with another library's clients has."""

    kind: str
    library: str
    reach: str
    """Who gets a message, by what the trial message showed."""
    judged: str
    """What could be judged, in a sentence."""
    closes: int
    """Connections that were ended while a client wanted to keep them."""
    closes_by_code: dict[str, int]
    """By close code, or by the library's reason."""
    reconnects: int
    is_document: bool = False
    """True if messages are entries of a shared document."""
    unanswered: int | None = None
    """Messages that the application never acknowledged; None if it acknowledges none."""
    recovered: int = 0
    """Reconnects in which the library kept its session."""
    refused: int = 0
    """Messages that the library did not take, as it had just lost its connection."""
    removals: int = 0
    """How often a client of a document saw another one leave."""


class Result(msgspec.Struct, frozen=True):
    """One run of `isshoni verify`."""

    target: str
    started_at_unix: float
    seconds: float
    seed: int
    clients: int
    sessions: int
    messages: Messages
    wire: WireMessages
    edits: Edits
    gap_ms: GapMs
    delivery_ms: DeliveryMs
    deploys: tuple[Deploy, ...]
    sla: Sla
    weights: tuple[WeightStep, ...] = ()
    connections: tuple[ColourCount, ...] = ()
    latency: tuple[LatencyBucket, ...] = ()
    timelines: tuple[ClientTimeline, ...] = ()
    long_cuts: tuple[LongCut, ...] = ()
    trouble: tuple[str, ...] = ()
    """What kept the run from being whole: clients that never joined, nothing settled."""
    load: LoadShare | None = None
    stock: StockFindings | None = None
    """None: the clients were Isshoni's own."""
    schema: int = SCHEMA


def write_result(result: Result, path: Path) -> None:
    """Write the result as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))


def read_result(path: Path) -> Result:
    """Read a result that `write_result` wrote; raises `msgspec.MsgspecError`."""
    return msgspec.json.decode(path.read_bytes(), type=Result)
