"""A rollout in short, for lists: read from its stored state without the rest of it."""

from dataclasses import dataclass

import msgspec

from isshoni.rollout.model import Colour, other
from isshoni.rollout.state import Outcome


@dataclass(frozen=True)
class ReleaseSummary:
    """The label and content id of a release."""

    label: str
    content: str | None = None


@dataclass(frozen=True)
class StableSummary:
    """The colour and release that served before a rollout."""

    colour: Colour
    release: ReleaseSummary


@dataclass(frozen=True)
class RollbackSummary:
    """The times of a rollback, in seconds since 1970; None for what it did not reach."""

    began: float
    traffic_home: float | None = None
    sessions_home: float | None = None


@dataclass(frozen=True)
class RolloutSummary:
    """What a list shows of a rollout. Its fields are stored under these names."""

    id: str
    release: ReleaseSummary
    stable: StableSummary
    began: float
    returning: bool = False
    rollback: RollbackSummary | None = None
    outcome: Outcome = "running"
    reason: str = ""
    ended: float | None = None

    @property
    def candidate(self) -> Colour:
        """The colour that the release goes on."""
        return other(self.stable.colour)


def decode_summary(raw: bytes) -> RolloutSummary:
    """Return the summary of a stored rollout; its other fields are skipped, not decoded."""
    return msgspec.json.decode(raw, type=RolloutSummary)
