"""What convicts a candidate, and what does not."""

from collections.abc import Mapping

import pytest

from isshoni.rollout.analysis.evidence import Evidence, weigh_look
from isshoni.rollout.analysis.samples import Counts, subtract_counts, take_counts
from isshoni.rollout.analysis.verdict import Verdict, assess_candidate
from isshoni.rollout.model import BackendStatus, Observation, SlotState, TrafficSample, Weights
from isshoni.rollout.plan import Thresholds

LIMITS = Thresholds()
GOOD = {"balancer_requests": 40}
BUSY = {"balancer_requests": 360}


def status(gauges: Mapping[str, float] | None = None, *, isshoni: bool = False) -> BackendStatus:
    return BackendStatus("v", True, False, 5, 1, {}, gauges or {}, speaks_isshoni=isshoni)


def gather(candidate: Counts, stable: Counts, *, looks: int = 8) -> Evidence:
    """Look at counters that gain the same at every look."""
    evidence = Evidence(0.0)
    for look in range(1, looks + 1):
        mine = {name: count * look for name, count in candidate.items()}
        theirs = {name: count * look for name, count in stable.items()}
        evidence = weigh_look(evidence, mine, theirs, float(look), LIMITS, exposed=True)
    return evidence


def assess(
    candidate: Counts = GOOD,
    stable: Counts = BUSY,
    *,
    mine: BackendStatus | None = None,
    theirs: BackendStatus | None = None,
    silent: bool = False,
    looks: int = 8,
) -> Verdict:
    seen = Observation(
        {"blue": SlotState(), "green": SlotState()},
        Weights(90, 10),
        {},
        {"blue": theirs or status(), "green": None if silent else mine or status()},
    )
    evidence = gather({**GOOD, **candidate}, {**BUSY, **stable}, looks=looks)
    return assess_candidate(evidence, {}, seen, "green", LIMITS, speaks=True)


def test_quiet_candidate_passes() -> None:
    assert assess().kind == "pass"


BAD = [
    ("5xx", {"balancer_errors_5xx": 1}),
    ("refused", {"balancer_refused": 4}),
    ("broken sockets", {"connections_failed": 1, "connections_opened": 10}),
    ("failed restores", {"restore_failures": 1, "restores": 9}),
    ("redis errors", {"redis_errors": 2, "messages": 20}),
    ("looks with slow acks", {"ack_seconds_le_0.1": 5, "ack_seconds_le_+Inf": 10}),
    ("probes turned away", {"probe_turned_away": 1, "probe_entries": 8}),
    ("probe messages without ack", {"probe_unacked": 1, "probe_messages": 28}),
    ("probe messages lost", {"probe_lost": 1, "probe_messages": 28}),
    ("probe messages doubled", {"probe_doubled": 1, "probe_messages": 28}),
]


@pytest.mark.parametrize(("named", "candidate"), BAD, ids=[name for name, _ in BAD])
@pytest.mark.spec("C3")
def test_each_fault_fails_with_the_figure_the_limit_and_stables_figure(
    named: str, candidate: dict[str, int]
) -> None:
    verdict = assess(candidate, looks=20)
    assert verdict.kind == "fail"
    assert verdict.reason.startswith(named)
    assert "limit" in verdict.reason and "stable 0 %" in verdict.reason
    assert verdict.figures[named] > 0


@pytest.mark.parametrize(("named", "candidate"), BAD, ids=[name for name, _ in BAD])
def test_stable_that_is_as_bad_takes_the_blame_off_the_candidate(
    named: str, candidate: dict[str, int]
) -> None:
    assert assess(candidate, {**candidate, "balancer_requests": 40}).kind == "pass"


def test_candidate_that_is_much_worse_than_a_sick_stable_fails() -> None:
    sick = {"balancer_errors_5xx": 18}
    assert assess({"balancer_errors_5xx": 2}, sick).kind == "pass"
    assert assess({"balancer_errors_5xx": 12}, sick).kind == "fail"


def test_fix_of_a_sick_stable_passes_though_it_is_not_perfect() -> None:
    assert assess({"balancer_errors_5xx": 1}, {"balancer_errors_5xx": 90}).kind == "pass"


def test_sick_stable_that_nobody_goes_to_any_more_is_still_the_measure() -> None:
    sick = gather(GOOD, {**BUSY, "balancer_errors_5xx": 36})
    alone = {name: 9 * count for name, count in sick.candidate.items()}
    alike = {**alone, "balancer_errors_5xx": 30}
    assert not go_on(sick, alike).guilty
    assert go_on(sick, {**alone, "balancer_errors_5xx": 1000}).guilty


def go_on(before: Evidence, candidate: Counts) -> Evidence:
    evidence = before
    for look in range(1, 20):  # failures that last, or stable has to confirm them
        mine = {
            name: before.candidate.get(name, 0) + look * (count - before.candidate.get(name, 0))
            for name, count in candidate.items()
        }
        evidence = weigh_look(evidence, mine, before.stable, 8.0 + look, LIMITS, exposed=True)
    return evidence


def test_better_than_the_alarm_but_surely_worse_than_stable_fails() -> None:
    candidate = {"balancer_requests": 400, "balancer_errors_5xx": 3}
    verdict = assess(candidate, {"balancer_requests": 3600, "balancer_errors_5xx": 0}, looks=12)
    assert verdict.kind == "fail"
    assert "5xx 0.75 %" in verdict.reason


def test_share_within_the_target_passes_however_long_one_looks() -> None:
    candidate = {"balancer_requests": 2000, "balancer_errors_5xx": 1}
    assert assess(candidate, looks=200).kind == "pass"


def test_failure_or_two_convict_nobody_but_hold_a_bake_up() -> None:
    verdict = assess({"balancer_errors_5xx": 1}, looks=2)
    assert verdict.kind == "hold"
    assert "not sure yet: 5xx" in verdict.reason


def test_shared_trouble_that_only_the_candidate_was_seen_in_must_last() -> None:
    alone = {"probe_turned_away": 6, "probe_entries": 12}
    assert assess(alone, looks=8).kind == "hold"
    assert assess(alone, looks=20).kind == "fail"


def test_trouble_that_stable_surely_has_not_need_not_last() -> None:
    alone = {"probe_turned_away": 12, "probe_entries": 12}
    assert assess(alone, {"probe_entries": 12}, looks=2).kind == "fail"


def test_conviction_must_stand_at_the_next_look_too() -> None:
    assert assess({"balancer_refused": 40}, looks=1).kind == "hold"
    assert assess({"balancer_refused": 40}, looks=2).kind == "fail"


@pytest.mark.spec("C3")
def test_too_little_traffic_is_inconclusive_never_a_pass() -> None:
    verdict = assess({"balancer_requests": 14}, looks=2)
    assert verdict.kind == "inconclusive"
    assert "28 attempts" in verdict.reason


def test_requests_alone_are_too_little_for_a_release_that_holds_sessions() -> None:
    speaking = status(isshoni=True)
    assert assess(mine=speaking).kind == "inconclusive"
    assert assess({"probe_entries": 1}, mine=speaking).kind == "pass"


@pytest.mark.spec("C3")
def test_probes_that_fail_on_both_colours_are_no_reason_to_promote() -> None:
    speaking = status(isshoni=True)
    shut = {"probe_entries": 12, "probe_turned_away": 12}
    verdict = assess(shut, shut, mine=speaking)
    assert verdict.kind in ("inconclusive", "hold")
    assert "probes" in verdict.reason
    unsaved = {"probe_entries": 12, "probe_messages": 36, "probe_unacked": 36}
    assert assess(unsaved, unsaved, mine=speaking).kind in ("inconclusive", "hold")


def test_gaps_that_clients_report_count_only_against_stable() -> None:
    gaps = {"gap_seconds_le_1.0": 20, "gap_seconds_le_+Inf": 40}
    assert assess(gaps).kind == "pass"
    few = {"gap_seconds_le_1.0": 40, "gap_seconds_le_+Inf": 40}
    verdict = assess(gaps, few)
    assert verdict.kind == "fail"
    assert "gaps over 1 s" in verdict.reason


def test_nobody_is_blamed_for_what_was_before_anybody_was_there() -> None:
    before = weigh_look(
        Evidence(0.0), {**GOOD, "balancer_errors_5xx": 40}, BUSY, 1.0, LIMITS, exposed=False
    )
    after = weigh_look(before, before.candidate, BUSY, 2.0, LIMITS, exposed=True)
    assert after.weighed["5xx"].bad == 0


def test_lag_and_silence_hold_a_bake_up() -> None:
    assert assess(mine=status({"pubsub_lag_ms": 501.0})).kind == "hold"
    assert assess(mine=status({"event_loop_lag_ms": 501.0})).kind == "hold"
    assert assess(silent=True).kind == "hold"


def test_lag_that_stable_has_too_is_the_machines_fault() -> None:
    lagging = status({"event_loop_lag_ms": 900.0})
    assert assess(mine=lagging, theirs=lagging).kind == "pass"


def test_counter_that_was_reset_counts_from_zero() -> None:
    assert subtract_counts({"redis_errors": 4}, {"redis_errors": 90}) == {"redis_errors": 4}


def test_counters_of_a_silent_backend_stand_still() -> None:
    seen = Observation(
        {"blue": SlotState(), "green": SlotState()},
        None,
        {"green": TrafficSample(requests=7, errors_5xx=2, refused=1)},
        {"green": None},
    )
    assert take_counts(seen, "green", {"lost": 1}, {"messages": 5}) == {
        "messages": 5,
        "probe_lost": 1,
        "balancer_requests": 7,
        "balancer_errors_5xx": 2,
        "balancer_refused": 1,
    }
