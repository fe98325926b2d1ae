"""The actions that the engine performs. All idempotent: repeated until they are seen done."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from isshoni.rollout.model import Colour, ProbeTally, Proof, Release, Weights


@dataclass(frozen=True)
class PrepareRelease:
    """Make a release ready to start."""

    release: Release

    def __str__(self) -> str:
        return f"prepare {self.release.label}"


@dataclass(frozen=True)
class StartCandidate:
    """Start a release on the idle slot."""

    colour: Colour
    release: Release

    def __str__(self) -> str:
        return f"start {self.release.label} on {self.colour}"


@dataclass(frozen=True)
class ProveCandidate:
    """Ask a colour to prove that it reads Redis and real session data."""

    colour: Colour
    stable: Colour
    """Asked to read the sessions that `colour` cannot read."""

    def __str__(self) -> str:
        return f"prove {self.colour}"


@dataclass(frozen=True)
class ProbeTarget:
    """A colour that probes go to."""

    colour: Colour
    release: Release
    speaks_isshoni: bool
    """If False, probes only request pages."""


@dataclass(frozen=True)
class SendProbes:
    """Send a round of synthetic users, to several colours at the same time."""

    targets: tuple[ProbeTarget, ...]

    def __str__(self) -> str:
        return "send probes"


@dataclass(frozen=True)
class ApplyWeights:
    """Ask the balancer for weights."""

    weights: Weights

    def __str__(self) -> str:
        return f"apply weights {self.weights}"


@dataclass(frozen=True)
class Migrate:
    """Move a share of a colour's live sessions to the other."""

    colour: Colour
    to: Colour
    rate_per_second: float
    within_seconds: float
    share_pct: float = 100.0
    close_over_seconds: float = 0.0
    """For a relay: the time over which closes of clients that cannot be moved are spread."""

    def __str__(self) -> str:
        # Without the rate: a move whose rate changes is still the same action.
        share = "" if self.share_pct == 100 else f"{self.share_pct:g} % of "
        return f"migrate {share}{self.colour} to {self.to}"


@dataclass(frozen=True)
class CancelMigration:
    """Stop moving sessions away from a colour."""

    colour: Colour

    def __str__(self) -> str:
        return f"cancel the migration from {self.colour}"


@dataclass(frozen=True)
class StopColour:
    """Empty a slot."""

    colour: Colour

    def __str__(self) -> str:
        return f"stop {self.colour}"


Action = (
    PrepareRelease
    | StartCandidate
    | ProveCandidate
    | SendProbes
    | ApplyWeights
    | Migrate
    | CancelMigration
    | StopColour
)


@dataclass(frozen=True)
class ActionResult:
    """How an action ended; only the next observation shows if it had its effect."""

    action: Action
    fault: str | None = None
    proof: Proof | None = None
    """The result of a ProveCandidate."""
    tallies: Mapping[Colour, ProbeTally] = field(default_factory=dict)
    """The results of a SendProbes."""
