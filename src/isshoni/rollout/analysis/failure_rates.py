"""The failure rates that a candidate is judged by: how they are counted, and their limits."""

from collections.abc import Callable
from dataclasses import dataclass

from isshoni.rollout.analysis.samples import Counts
from isshoni.rollout.analysis.sequential import CORROBORATION, SAME_ODDS, SUSPICION
from isshoni.rollout.plan import Thresholds

ZERO_PCT = 1e-7
"""The target for failures that must never happen: so low that one is enough."""
SLOW_ACK_BOUND = "0.1"
LONG_GAP_BOUND = "1.0"
"""Bounds of buckets, in seconds, as the backend names them (docs/admin-api.md)."""
SLOW_SHARE = 0.2
FEWEST_ACKS = 2
QUIET_SECONDS = 5.0
LASTING_SECONDS = 15.0
"""How long failures go on that are no passing trouble, when stable cannot show it."""
SLOW_LOOKS_SAME_ODDS = 4.0
SLOW_LOOKS_QUIET_SECONDS = 15.0
SLOW_LOOKS_CORROBORATION = 1000.0
SLOW_LOOKS_LASTING_SECONDS = 60.0
"""Slow acks come in bursts of seconds, on each colour at other moments by chance."""

BadOf = Callable[[Counts], tuple[int, int]]


@dataclass(frozen=True)
class FailureRate:
    """One rate of failure: how it is counted, and its limits in percent."""

    name: str
    count: BadOf
    """Returns the number of failures and of all attempts."""
    target_pct: float
    """The share that a good release stays below."""
    alarm_pct: float | None
    """Above this a release is bad even if stable is too; None: only the comparison counts."""
    same_odds: float = SAME_ODDS
    """The ratio of the odds of failure to stable's up to which both count as equal."""
    suspicion: float = SUSPICION
    """The evidence of being worse than stable from which a bake is extended."""
    stable_quiet_seconds: float = QUIET_SECONDS
    """How long after its last failure stable still counts as above its target."""
    corroboration: float = CORROBORATION
    """The evidence of being worse than stable that confirms an alarm."""
    lasting_seconds: float = LASTING_SECONDS
    """How long failures go on that are no passing trouble, when stable has had them too but
    has no clients left to show it."""
    comes_in_bursts: bool = False
    """True: a bake waits while the candidate is far worse than stable, even if stable is over
    its target; and without stable to compare with only what lasts counts."""
    is_retried: bool = False
    """True: what failed is tried again after some seconds, so a short silence clears nothing."""
    counts_while_moving: bool = True
    """False: sessions that move to the candidate cause such failures themselves."""


def list_failure_rates(limits: Thresholds) -> tuple[FailureRate, ...]:
    """Return every failure rate that is judged."""
    target, redis = limits.target_pct, limits.redis_errors_pct
    requests, saved = "balancer_requests", ("messages", "edits", "restores")
    return (
        FailureRate("5xx", _part("balancer_errors_5xx", requests), target, limits.errors_5xx_pct),
        FailureRate("refused", _part("balancer_refused", requests), target, limits.refused_pct),
        FailureRate(
            "broken sockets",
            _part("connections_failed", "connections_opened"),
            target,
            limits.broken_pct,
        ),
        # Stable serves each of these clients, so there is nothing to compare with.
        FailureRate(
            "moves not taken",
            _part("moves_not_taken", "moves_tried"),
            target,
            limits.broken_pct,
            is_retried=True,
        ),
        # What is refused depends on the clients (a token, an origin), so only stable can tell.
        FailureRate("refused handshakes", _part("handshakes_refused", "handshakes"), target, None),
        FailureRate(
            "failed restores",
            _failed("restore_failures", "restores"),
            target,
            limits.restore_failures_pct,
        ),
        FailureRate("redis errors", _failed("redis_errors", *saved), target, redis),
        FailureRate(
            "looks with slow acks",
            _slow_look,
            limits.slow_looks_target_pct,
            limits.slow_looks_pct,
            SLOW_LOOKS_SAME_ODDS,
            CORROBORATION,
            SLOW_LOOKS_QUIET_SECONDS,
            SLOW_LOOKS_CORROBORATION,
            SLOW_LOOKS_LASTING_SECONDS,
            comes_in_bursts=True,
            counts_while_moving=False,
        ),
        FailureRate("gaps over 1 s", _above("gap_seconds", LONG_GAP_BOUND), target, None),
        FailureRate(
            "probes turned away",
            _part("probe_turned_away", "probe_entries"),
            target,
            limits.refused_pct,
        ),
        FailureRate(
            "probe messages without ack", _part("probe_unacked", "probe_messages"), target, redis
        ),
        FailureRate("probe messages lost", _part("probe_lost", "probe_messages"), ZERO_PCT, 0.0),
        FailureRate(
            "probe messages doubled", _part("probe_doubled", "probe_messages"), ZERO_PCT, 0.0
        ),
    )


def count_attempts(added: Counts) -> int:
    """Return the attempts of users and probes that a verdict is based on."""
    return max(added.get("balancer_requests", 0), added.get("balancer_refused", 0))


def _part(bad: str, tried: str) -> BadOf:
    def count(added: Counts) -> tuple[int, int]:
        # The two counters may be read a moment apart.
        return added.get(bad, 0), max(added.get(tried, 0), added.get(bad, 0))

    return count


def _failed(bad: str, *good: str) -> BadOf:
    def count(added: Counts) -> tuple[int, int]:
        return added.get(bad, 0), added.get(bad, 0) + sum(added.get(name, 0) for name in good)

    return count


def _above(histogram: str, bound: str) -> BadOf:
    def count(added: Counts) -> tuple[int, int]:
        tried = added.get(f"{histogram}_le_+Inf", 0)
        return max(0, tried - added.get(f"{histogram}_le_{bound}", 0)), tried

    return count


count_slow_acks = _above("ack_seconds", SLOW_ACK_BOUND)


def _slow_look(added: Counts) -> tuple[int, int]:
    """Count a whole observation as one attempt: slow acks come in bursts, not one by one."""
    slow, acks = count_slow_acks(added)
    return (int(slow > SLOW_SHARE * acks), 1) if acks >= FEWEST_ACKS else (0, 0)
