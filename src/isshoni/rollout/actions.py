"""What the core may ask the engine to do. All idempotent: asked again until seen done."""

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
    """Ask a colour to prove Redis and real session data."""

    colour: Colour
    stable: Colour
    """Asked for the sessions that `colour` cannot read."""

    def __str__(self) -> str:
        return f"prove {self.colour}"


@dataclass(frozen=True)
class ProbeTarget:
    """A colour that probes go to."""

    colour: Colour
    release: Release
    speaks_isshoni: bool
    """Else only pages are asked for."""


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

    def __str__(self) -> str:
        # Not the rate: one that changes is still the same thing asked for.
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
    """How an action ended; only the next look shows whether it had its effect."""

    action: Action
    fault: str | None = None
    proof: Proof | None = None
    """What a ProveCandidate brought."""
    tallies: Mapping[Colour, ProbeTally] = field(default_factory=dict)
    """What a SendProbes brought."""
