"""Runs, the judgement on each, and the medians and ratios of several. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GENERATOR_SHARE = 0.35
GENERATOR_RATE = 590_000
"""The generator must use less than this share of its core at this many deliveries a second."""
MOST_GENERATOR_SHARE = 0.7
OTHERS_SHARE = 0.10
"""What others may use of the two cores, as a share of one, before a run counts as disturbed."""


@dataclass(frozen=True)
class Run:
    """What one run found, and who used the two cores while it was measured.

    Shares are of one core. `values` has the figures by name: `messages_per_second`,
    `deliveries_per_second`, `p50_ms`, `p99_ms`, `p999_ms`, …
    """

    values: Mapping[str, float]
    server_share: float
    generator_share: float
    others_share: float
    stolen_share: float = 0.0
    missing: int = 0
    """Deliveries that never came."""


def disturbance_of(run: Run) -> str | None:
    """Return why a run cannot be believed; None if it can."""
    disturbed = run.others_share + run.stolen_share
    if disturbed > OTHERS_SHARE:
        return f"other programs took {disturbed:.0%} of a core"
    limit = generator_limit(run.values.get("deliveries_per_second", 0.0))
    if run.generator_share > limit:
        return f"the load generator took {run.generator_share:.0%} of its core, over {limit:.0%}"
    return None


def generator_limit(deliveries_per_second: float) -> float:
    """Return the share of its core that the generator may use at a rate of deliveries."""
    share = GENERATOR_SHARE * max(1.0, deliveries_per_second / GENERATOR_RATE)
    return min(MOST_GENERATOR_SHARE, share)


@dataclass(frozen=True)
class Figure:
    """The median of several runs, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Return the figure of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    @property
    def spread(self) -> float:
        """Return half the distance of least and most, as a share of the median."""
        return (self.most - self.least) / 2 / self.median if self.median else 0.0


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Figure | None:
    """Return ours / theirs, round by round; None if a round of theirs is 0.

    Runs of one round were made one after the other, so what changed on the machine between
    rounds cancels out.
    """
    pairs = list(zip(ours, theirs, strict=False))
    if not pairs or any(their == 0 for _, their in pairs):
        return None
    return Figure.of([our / their for our, their in pairs])
