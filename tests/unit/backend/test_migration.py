"""Whom a migration tells next: a pure function of who is here, the budget and the clock."""

from isshoni.backend.live.migration import Pace, Told, plan_turn


def test_whole_sessions_are_told_one_after_another() -> None:
    told: Told[str] = Told()
    sessions = [["a1", "a2", "a3"], ["b1", "b2"]]
    order = []
    for now in range(5):
        turn = plan_turn(sessions, told, budget=1, now=now)
        order += turn.tell
        told.deadlines |= dict.fromkeys(turn.tell, 100.0)
    assert order == ["a1", "a2", "a3", "b1", "b2"]


def test_nobody_is_told_twice_before_it_is_time() -> None:
    told: Told[str] = Told({"a": 10.0}, {"a": 5.0})
    assert plan_turn([["a"]], told, budget=9, now=4.9).tell == []
    assert plan_turn([["a"]], told, budget=9, now=5.0).tell == ["a"]


def test_who_did_not_leave_in_time_is_closed() -> None:
    told: Told[str] = Told({"a": 10.0})
    turn = plan_turn([["a", "b"]], told, budget=9, now=10.0)
    assert (turn.tell, turn.close) == (["b"], ["a"])


def test_closing_counts_against_the_budget_too() -> None:
    told: Told[int] = Told(dict.fromkeys(range(10), 1.0))
    turn = plan_turn([list(range(20))], told, budget=12, now=2.0)
    assert len(turn.close) == 10
    assert len(turn.tell) == 2


def test_the_pace_is_kept_and_a_pause_is_not_made_up_for() -> None:
    pace = Pace(rate_per_second=100)
    spent = 0
    for step in range(101):
        budget = pace.earn(step * 0.02)
        pace.spend(budget)
        spent += budget
    assert 195 <= spent <= 201
    assert pace.earn(1000.0) == 10


def test_a_slow_pace_still_tells_somebody() -> None:
    pace = Pace(rate_per_second=0.5)
    assert pace.earn(0.0) == 1
    pace.spend(1)
    assert pace.earn(1.0) == 0
    assert pace.earn(2.0) == 1


def test_a_change_of_pace_is_no_burst() -> None:
    pace = Pace(rate_per_second=100)
    spent = 0
    for step in range(101):
        pace.rate_per_second = 100 if step % 2 else 99
        budget = pace.earn(step * 0.02)
        pace.spend(budget)
        spent += budget
    assert 190 <= spent <= 201
