"""What convicts a candidate, and what does not."""

import pytest

from isshoni.rollout.gates import Baseline, Sample, Verdict, assess_candidate
from isshoni.rollout.model import BackendStatus, Observation, SlotState, TrafficSample, Weights
from isshoni.rollout.plan import Thresholds

NOTHING = Baseline(Sample(), Sample())
BUSY = TrafficSample(requests=1000)


def status(
    counters: dict[str, int] | None = None, gauges: dict[str, float] | None = None
) -> BackendStatus:
    return BackendStatus("v", True, False, 5, 1, counters or {}, gauges or {})


def assess(
    candidate: TrafficSample = BUSY,
    stable: TrafficSample = BUSY,
    *,
    mine: BackendStatus | None = None,
    theirs: BackendStatus | None = None,
    silent: bool = False,
    baseline: Baseline = NOTHING,
    restarts: int = 0,
) -> Verdict:
    seen = Observation(
        {"blue": SlotState(), "green": SlotState(restarts=restarts)},
        Weights(50, 50),
        {"blue": stable, "green": candidate},
        {"blue": theirs or status(), "green": None if silent else mine or status()},
    )
    return assess_candidate(baseline, seen, "green", Thresholds(), speaks=True)


def test_quiet_candidate_passes() -> None:
    assert assess().kind == "pass"


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        (TrafficSample(requests=1000, errors_5xx=11), "5xx"),
        (TrafficSample(requests=989, refused=11), "refused"),
        (TrafficSample(refused=3), "refused"),
    ],
)
@pytest.mark.spec("C3")
def test_share_over_its_limit_fails_with_figures(candidate: TrafficSample, named: str) -> None:
    verdict = assess(candidate)
    assert verdict.kind == "fail"
    assert named in verdict.reason
    assert verdict.figures[named] > 1


def test_share_at_its_limit_passes() -> None:
    assert assess(TrafficSample(requests=1000, errors_5xx=10)).kind == "pass"


def test_too_little_traffic_is_inconclusive_not_bad() -> None:
    assert assess(TrafficSample(requests=19)).kind == "inconclusive"


def test_two_failures_convict_nobody() -> None:
    assert assess(TrafficSample(requests=3, errors_5xx=2)).kind == "inconclusive"


def test_stable_that_is_as_bad_takes_the_blame_off_the_candidate() -> None:
    sick = TrafficSample(requests=1000, errors_5xx=100)
    assert assess(sick, sick).kind == "pass"
    worse = TrafficSample(requests=1000, errors_5xx=200)
    assert assess(worse, sick).kind == "fail"


def test_only_what_came_since_the_baseline_counts() -> None:
    before = TrafficSample(requests=1000, errors_5xx=100)
    after = TrafficSample(requests=2000, errors_5xx=100)
    assert assess(after, baseline=Baseline(Sample(before), Sample())).kind == "pass"


def test_counter_that_was_reset_counts_from_zero() -> None:
    before = Sample(counters={"redis_errors": 90})
    now = status({"redis_errors": 4})
    assert assess(mine=now, baseline=Baseline(before, Sample())).kind == "fail"


@pytest.mark.parametrize(
    ("counters", "kind"),
    [
        ({"redis_errors": 3}, "pass"),
        ({"redis_errors": 4}, "fail"),
        ({"restores": 10, "restore_failures": 3}, "fail"),
        ({"restores": 900, "restore_failures": 3}, "pass"),
    ],
)
def test_backend_counters_are_judged(counters: dict[str, int], kind: str) -> None:
    assert assess(mine=status(counters)).kind == kind


def test_restart_fails() -> None:
    assert assess(restarts=1).kind == "fail"


def test_lag_and_silence_hold_a_bake_up() -> None:
    assert assess(mine=status(gauges={"pubsub_lag_ms": 501.0})).kind == "hold"
    assert assess(mine=status(gauges={"event_loop_lag_ms": 501.0})).kind == "hold"
    assert assess(silent=True).kind == "hold"


def test_lag_that_stable_has_too_is_the_machines_fault() -> None:
    lagging = status(gauges={"event_loop_lag_ms": 900.0})
    assert assess(mine=lagging, theirs=lagging).kind == "pass"
