"""What a run needs from the part that deploys; `verify` itself deploys nothing."""

from typing import Protocol

import msgspec

COMMAND_PHASE = "command"
"""The phase of a deploy that any other command makes."""


class PhaseSpan(msgspec.Struct, frozen=True):
    """A phase of a deploy, in seconds since 1970."""

    name: str
    """As the engine names it; `migrate` is the one in which sessions move."""
    began_at: float
    ended_at: float


class WeightChange(msgspec.Struct, frozen=True):
    """Verified weights from a moment on, in seconds since 1970."""

    at: float
    blue: int
    green: int


class DeployReport(msgspec.Struct, frozen=True):
    """How one deploy went, as the part that ran it reports."""

    outcome: str
    """`promoted`, `rolled_back`, or the engine's other words for an end."""
    bake_seconds: float = 0.0
    """Configured waiting, which is not the engine's slowness."""
    rollback_seconds: float | None = None
    """From the decision to the last session home; None when nothing was rolled back."""
    phases: tuple[PhaseSpan, ...] = ()
    weights: tuple[WeightChange, ...] = ()
    reason: str | None = None


class DeployRunner(Protocol):
    """Deploys a version into the environment under test."""

    async def deploy(self, version: str) -> DeployReport:
        """Deploy `version` and return when it has ended, well or not."""
