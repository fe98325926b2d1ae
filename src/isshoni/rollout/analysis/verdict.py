"""The verdict on a candidate that has clients, at each look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from isshoni.plurals import count
from isshoni.rollout.analysis.evidence import BROKEN_SECONDS, Evidence, Weighed
from isshoni.rollout.analysis.failure_rates import (
    FailureRate,
    count_attempts,
    count_slow_acks,
    list_failure_rates,
)
from isshoni.rollout.analysis.samples import Counts, subtract_counts
from isshoni.rollout.model import BackendStatus, Colour, Observation, other
from isshoni.rollout.plan import RolloutPlan, Thresholds

LAG_MARGIN = 1.5
"""How much more than stable's a candidate's lag may be when both are over the limit."""
NOT_TAKEN = ("unreachable", "new_ended")
"""Reasons of failed moves that are the new program's fault, whatever the client's request is."""


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


def assess_candidate(
    evidence: Evidence,
    baseline: Counts,
    seen: Observation,
    candidate: Colour,
    limits: Thresholds,
    *,
    speaks: bool,
) -> Verdict:
    """Judge the candidate by all evidence, and by its attempts since `baseline`.

    `speaks` says that it has an admin API; then silence on it holds the bake up.
    """
    added = subtract_counts(evidence.candidate, baseline)
    figures = calculate_figures(added, limits)
    guilt = describe_guilt(evidence, limits)
    if guilt:
        return Verdict("fail", guilt, figures)
    if speaks and seen.backends.get(candidate) is None:
        return Verdict("hold", f"{candidate} does not answer on its admin port", figures)
    doubts = [
        *_list_doubts(evidence, limits),
        *_list_unmoved(seen, candidate, limits),
        *_list_lags(seen, candidate, limits),
    ]
    if doubts:
        return Verdict("hold", "; ".join(doubts), figures)
    attempts = count_attempts(added)
    missing = _describe_missing(added, seen.backends.get(candidate), limits)
    if missing:
        return Verdict("inconclusive", f"nothing bad so far, but {missing}", figures)
    return Verdict("pass", f"within every limit in {attempts} attempts", figures)


def is_disturbed(
    evidence: Evidence, seen: Observation, candidate: Colour, plan: RolloutPlan
) -> bool:
    """True if a bake is held up only by failures none of which has gone on for `hold_seconds`.

    Different ones, one after the other, or the same again after a pause, are disturbances, and so
    are bursts for as long as they can pass.
    """
    limits = plan.thresholds
    doubtful = [(rate, evidence.weighed[rate.name]) for rate in _list_doubtful(evidence, limits)]
    short = all(
        evidence.at - weighed.bad_since < _count_patience(rate, weighed, plan)
        for rate, weighed in doubtful
    )
    lasting = _list_unmoved(seen, candidate, limits) or _list_lags(seen, candidate, limits)
    return bool(doubtful) and short and not lasting


def _count_patience(rate: FailureRate, weighed: Weighed, plan: RolloutPlan) -> float:
    passing = weighed.count_passing_seconds(rate) if rate.comes_in_bursts else 0.0
    return max(plan.hold_seconds, min(passing, BROKEN_SECONDS))


def describe_guilt(evidence: Evidence, limits: Thresholds) -> str | None:
    """Return what the candidate is surely bad at; None if there is nothing."""
    guilty = [rate for rate in list_failure_rates(limits) if rate.name in evidence.guilty]
    return "; ".join(evidence.weighed[rate.name].describe(rate) for rate in guilty) or None


def calculate_figures(added: Counts, limits: Thresholds) -> dict[str, float]:
    """Return each share in percent, and the attempts, of what was `added`."""
    figures = {"requests": float(count_attempts(added))}
    for rate in list_failure_rates(limits):
        figures[rate.name] = _calculate_pct(*rate.count(added))
    figures["slow acks"] = _calculate_pct(*count_slow_acks(added))
    return figures


def _describe_missing(
    added: Counts, status: BackendStatus | None, limits: Thresholds
) -> str | None:
    attempts = count_attempts(added)
    if attempts < limits.min_attempts:
        return f"only {attempts} attempts, {limits.min_attempts} are needed"
    # Requests alone say nothing of sessions, and one that hangs shows in no counter.
    if status is None or not status.speaks_isshoni:
        return None
    tried, turned_away = added.get("probe_entries", 0), added.get("probe_turned_away", 0)
    entered = tried - turned_away
    if entered < limits.min_entries:
        return f"only {entered} probes could enter ({tried} tried); {limits.min_entries} are needed"
    written = added.get("probe_messages", 0)
    if written and added.get("probe_unacked", 0) >= written:
        return "no message of a probe was acknowledged"
    return None


def _list_doubts(evidence: Evidence, limits: Thresholds) -> list[str]:
    return [
        f"not sure yet: {evidence.weighed[rate.name].describe(rate)}"
        for rate in _list_doubtful(evidence, limits)
    ]


def _list_doubtful(evidence: Evidence, limits: Thresholds) -> list[FailureRate]:
    return [
        rate
        for rate in list_failure_rates(limits)
        if evidence.weighed.get(rate.name, Weighed()).makes_doubtful(rate, evidence.at)
    ]


def _list_lags(seen: Observation, candidate: Colour, limits: Thresholds) -> list[str]:
    mine, theirs = seen.backends.get(candidate), seen.backends.get(other(candidate))
    rows = (
        ("pub/sub lag", "pubsub_lag_ms", limits.pubsub_lag_ms),
        ("event loop lag", "event_loop_lag_ms", limits.event_loop_lag_ms),
    )
    return [
        f"{name} {_gauge(mine, gauge):.4g} ms (limit {limit:.4g} ms, "
        f"stable {_gauge(theirs, gauge):.4g} ms)"
        for name, gauge, limit in rows
        if _gauge(mine, gauge) > max(limit, LAG_MARGIN * _gauge(theirs, gauge))
    ]


def _list_unmoved(seen: Observation, candidate: Colour, limits: Thresholds) -> list[str]:
    """Return which clients wait on stable because the candidate did not take them."""
    stable = seen.backends.get(other(candidate))
    move = stable.migration if stable else None
    if move is None or move.to != candidate:
        return []
    waiting = {reason: move.failures.get(reason, 0) for reason in NOT_TAKEN}
    total = sum(waiting.values())
    if 100.0 * total <= limits.target_pct * (move.moved + total):
        return []
    found = ", ".join(f"{reason} {number}" for reason, number in waiting.items() if number)
    clients = count(total, "client")
    return [f"{candidate} does not take {clients} that {other(candidate)} serves ({found})"]


def _gauge(status: BackendStatus | None, name: str) -> float:
    return status.gauges.get(name, 0.0) if status else 0.0


def _calculate_pct(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 3) if whole else 0.0
