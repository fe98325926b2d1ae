"""Whether a candidate that people are on does well enough: thresholds against stable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from isshoni.rollout.model import BackendStatus, Colour, Observation, TrafficSample, other
from isshoni.rollout.plan import Thresholds

ENOUGH = 20
"""Events below which a share says little."""
FAILURES = 3
"""Failures below which a share convicts nobody."""
MARGIN = 1.5
"""How much worse than a stable that is sick itself a candidate must be to fail."""


@dataclass(frozen=True)
class Sample:
    """A colour's counters at one time."""

    traffic: TrafficSample = field(default_factory=TrafficSample)
    counters: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0


@dataclass(frozen=True)
class Baseline:
    """Both colours' counters when a canary weight was first verified."""

    at: float
    candidate: Sample
    stable: Sample


@dataclass(frozen=True)
class Verdict:
    """What an analysis says; `figures` are what it went by."""

    kind: Literal["pass", "hold", "fail", "inconclusive"]
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """The verdict on which a canary step was left."""

    weight: int
    verdict: Verdict


@dataclass(frozen=True)
class Measure:
    """One figure of both colours and its limit."""

    name: str
    candidate: float
    stable: float
    limit: float
    unit: str
    instant: bool = True
    """False: one look may be a hiccup, so it holds a bake up before it fails it."""
    convicts: bool = True
    """False: too few failures for a sentence."""

    @property
    def breached(self) -> bool:
        """Say whether the candidate is over the limit, and not just as sick as stable."""
        over = self.candidate > max(self.limit, self.stable * MARGIN)
        return over and self.convicts

    def __str__(self) -> str:
        shown = f"{self.name} {self.candidate:.4g}{self.unit}"
        return f"{shown} (limit {self.limit:.4g}{self.unit}, stable {self.stable:.4g}{self.unit})"


def take_baseline(seen: Observation, candidate: Colour, now: float) -> Baseline:
    """Note where the counters stand, to judge by what is added."""
    return Baseline(now, take_sample(seen, candidate), take_sample(seen, other(candidate)))


def take_sample(seen: Observation, colour: Colour) -> Sample:
    """Read a colour's counters."""
    status = seen.backends.get(colour)
    counters = status.counters if status else {}
    traffic = seen.traffic.get(colour, TrafficSample())
    return Sample(traffic, dict(counters), seen.slots[colour].restarts)


def assess_candidate(
    baseline: Baseline, seen: Observation, candidate: Colour, limits: Thresholds, *, speaks: bool
) -> Verdict:
    """Judge what the candidate did since `baseline`.

    `speaks` says that it has an admin API; then silence on it holds the bake up.
    """
    status = seen.backends.get(candidate)
    if speaks and status is None:
        return Verdict("hold", f"{candidate} does not answer on its admin port")
    added = _Added(baseline.candidate, take_sample(seen, candidate))
    beside = _Added(baseline.stable, take_sample(seen, other(candidate)))
    measures = _measure(added, beside, limits)
    measures += _measure_lags(status, seen.backends.get(other(candidate)), limits)
    figures = {measure.name: round(measure.candidate, 3) for measure in measures}
    figures["requests"] = added.traffic("requests")
    breached = [measure for measure in measures if measure.breached]
    if breached:
        kind: Literal["fail", "hold"] = "fail" if any(m.instant for m in breached) else "hold"
        return Verdict(kind, "; ".join(map(str, breached)), figures)
    if added.attempts < ENOUGH:
        few = f"only {added.attempts} requests: nothing bad, but too few to praise it"
        return Verdict("inconclusive", few, figures)
    return Verdict("pass", "within every limit", figures)


class _Added:
    """What a colour's counters gained; a counter that was reset counts from zero."""

    def __init__(self, before: Sample, after: Sample) -> None:
        self._before, self._after = before, after

    def traffic(self, name: str) -> int:
        before, after = (getattr(s.traffic, name) for s in (self._before, self._after))
        return int(after - before if after >= before else after)

    def counter(self, name: str) -> int:
        before, after = (s.counters.get(name, 0) for s in (self._before, self._after))
        return after - before if after >= before else after

    @property
    def restarts(self) -> int:
        return max(0, self._after.restarts - self._before.restarts)

    @property
    def attempts(self) -> int:
        return self.traffic("requests") + self.traffic("refused")


def _measure(added: _Added, beside: _Added, limits: Thresholds) -> list[Measure]:
    return [
        _share("5xx", added, beside, "errors_5xx", limits.errors_5xx_pct),
        _share("refused", added, beside, "refused", limits.refused_pct),
        _restore_failures(added, beside, limits.restore_failures_pct),
        Measure(
            "redis errors",
            added.counter("redis_errors"),
            beside.counter("redis_errors"),
            limits.redis_errors,
            "",
        ),
        Measure("restarts", added.restarts, 0, limits.restarts, ""),
    ]


def _share(name: str, added: _Added, beside: _Added, counter: str, limit: float) -> Measure:
    bad = added.traffic(counter)
    mine = _pct(bad, added.attempts)
    theirs = _pct(beside.traffic(counter), beside.attempts)
    return Measure(name, mine, theirs, limit, " %", convicts=bad >= FAILURES)


def _restore_failures(added: _Added, beside: _Added, limit: float) -> Measure:
    def pct(colour: _Added) -> float:
        bad = colour.counter("restore_failures")
        return _pct(bad, colour.counter("restores") + bad)

    enough = added.counter("restore_failures") >= FAILURES
    return Measure("failed restores", pct(added), pct(beside), limit, " %", convicts=enough)


def _measure_lags(
    mine: BackendStatus | None, theirs: BackendStatus | None, limits: Thresholds
) -> list[Measure]:
    rows = (
        ("pub/sub lag", "pubsub_lag_ms", limits.pubsub_lag_ms),
        ("event loop lag", "event_loop_lag_ms", limits.event_loop_lag_ms),
    )
    return [
        Measure(name, _gauge(mine, gauge), _gauge(theirs, gauge), limit, " ms", instant=False)
        for name, gauge, limit in rows
    ]


def _gauge(status: BackendStatus | None, name: str) -> float:
    return status.gauges.get(name, 0.0) if status else 0.0


def _pct(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
