"""Which of two regions on AWS serves, by what their machines report."""

import pytest

from isshoni.cli.region_pair import find_serving
from isshoni.engine.errors import NothingToDo
from isshoni.rollout.failover.model import RegionRecord

EAST, WEST = "eu-west-1", "eu-central-1"


def test_the_region_with_the_primary_serves_before_the_first_failover() -> None:
    assert find_serving({EAST: RegionRecord(0, EAST), WEST: None}, "production") == EAST


def test_the_newest_record_says_which_region_serves() -> None:
    came_back = {EAST: RegionRecord(3, EAST), WEST: RegionRecord(5, WEST)}
    assert find_serving(came_back, "production") == WEST


def test_machines_that_do_not_answer_are_no_reason_to_guess() -> None:
    with pytest.raises(NothingToDo, match=r"isshoni doctor -e production\.eu-west-1"):
        find_serving({EAST: None, WEST: None}, "production")


def test_no_region_is_deployed_to_while_none_may_write() -> None:
    with pytest.raises(NothingToDo, match=r"term 4.*`isshoni failover -e production`"):
        find_serving({EAST: RegionRecord(4, ""), WEST: RegionRecord(3, EAST)}, "production")
