"""The options of `isshoni verify` that choose its processes, and the line about their share."""

import pytest

from isshoni.cli.verify import _count_workers
from isshoni.cli.verify_output import say_load
from isshoni.verify.machine import choose_workers
from isshoni.verify.result import LoadShare
from isshoni.verify.settings import InvalidRun


def test_workers_are_a_number_or_chosen() -> None:
    assert _count_workers("3", 1000, 100) == 3
    assert _count_workers("auto", 5000, 500) == choose_workers(5000, 500)


@pytest.mark.parametrize("asked", ["many", "-1", "1.5", ""])
def test_workers_that_are_no_number_are_refused_with_the_value(asked: str) -> None:
    with pytest.raises(InvalidRun, match=f"--workers '{asked}' is neither a number nor `auto`"):
        _count_workers(asked, 1000, 100)


def test_the_share_of_the_machine_is_printed_and_a_warning_in_its_place() -> None:
    small = LoadShare(2, 100, 900, 12.34, 60.0, 0.2057)
    assert say_load(small) == "the synthetic users took 21% of this machine (12.3 s of 60 s)"
    large = LoadShare(2, 100, 900, 40.0, 60.0, 0.67, "The synthetic users took 67% of it.")
    assert say_load(large) == "warning: The synthetic users took 67% of it."
