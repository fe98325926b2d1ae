import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.backoff import Backoff, BackoffPolicy, read_wait_seconds
from tests.unit.session.vectors import cases, load


@pytest.mark.spec("B1")
@cases("backoff")
def test_vector(steps: list[dict[str, Any]]) -> None:
    draws = [step["random"] for step in steps if "random" in step]
    backoff = Backoff(BackoffPolicy(**load("backoff")["policy"]), iter(draws).__next__)
    for step in steps:
        if step["do"] == "restored":
            backoff.restored(step["now"])
        elif step["do"] == "wait":
            assert read_wait_seconds(step["retry_after_ms"]) == pytest.approx(step["is"])
        else:
            longest = step.get("longest", math.inf)
            delay = backoff.next_delay_seconds(
                step["now"], prompt=step["prompt"], longest_seconds=longest
            )
            assert delay == pytest.approx(step["is"])


def test_clients_of_either_language_wait_alike() -> None:
    assert BackoffPolicy() == BackoffPolicy(**load("backoff")["defaults"])


@given(st.integers(0, 2000), st.floats(0, 1, exclude_max=True))
def test_no_number_of_failures_exceeds_the_longest_delay(failures: int, draw: float) -> None:
    policy = BackoffPolicy()
    backoff = Backoff(policy, lambda: draw)
    for _ in range(failures):
        backoff.next_delay_seconds(0.0)
    assert 0 <= backoff.next_delay_seconds(0.0) <= policy.longest_seconds
