"""Which clients a migration asks or closes next, from the sessions, the budget and the clock."""

from isshoni.backend.live.migration import Asked, Pace, plan_turn


def test_whole_sessions_are_asked_one_after_another() -> None:
    asked: Asked[str] = Asked()
    sessions = [["a1", "a2", "a3"], ["b1", "b2"]]
    order = []
    for now in range(5):
        turn = plan_turn(sessions, asked, budget=1, now=now)
        order += turn.ask
        asked.deadlines |= dict.fromkeys(turn.ask, 100.0)
    assert order == ["a1", "a2", "a3", "b1", "b2"]


def test_a_client_is_asked_again_only_after_half_its_time() -> None:
    asked: Asked[str] = Asked({"a": 10.0}, {"a": 5.0})
    assert plan_turn([["a"]], asked, budget=9, now=4.9).ask == []
    assert plan_turn([["a"]], asked, budget=9, now=5.0).ask == ["a"]


def test_a_client_that_did_not_move_in_time_is_closed() -> None:
    asked: Asked[str] = Asked({"a": 10.0})
    turn = plan_turn([["a", "b"]], asked, budget=9, now=10.0)
    assert (turn.ask, turn.close) == (["b"], ["a"])


def test_closing_counts_against_the_budget_too() -> None:
    asked: Asked[int] = Asked(dict.fromkeys(range(10), 1.0))
    turn = plan_turn([list(range(20))], asked, budget=12, now=2.0)
    assert len(turn.close) == 10
    assert len(turn.ask) == 2


def test_the_pace_is_kept_and_a_pause_causes_no_burst() -> None:
    pace = Pace(rate_per_second=100)
    spent = 0
    for step in range(101):
        budget = pace.earn(step * 0.02)
        pace.spend(budget)
        spent += budget
    assert 195 <= spent <= 201
    assert pace.earn(1000.0) == 10


def test_a_rate_below_one_a_second_still_asks_a_client() -> None:
    pace = Pace(rate_per_second=0.5)
    assert pace.earn(0.0) == 1
    pace.spend(1)
    assert pace.earn(1.0) == 0
    assert pace.earn(2.0) == 1


def test_a_change_of_pace_causes_no_burst() -> None:
    pace = Pace(rate_per_second=100)
    spent = 0
    for step in range(101):
        pace.rate_per_second = 100 if step % 2 else 99
        budget = pace.earn(step * 0.02)
        pace.spend(budget)
        spent += budget
    assert 190 <= spent <= 201
