"""A failover over fake regions: each ends promoted, back, or stuck with advice."""

from dataclasses import replace

import pytest

from isshoni.rollout.failover.actions import (
    Action,
    Block,
    Follow,
    Move,
    Promote,
    Switch,
    WriteRecord,
)
from isshoni.rollout.failover.model import RegionRecord
from isshoni.rollout.failover.steps import PLANS, StepName
from tests.support.fake_regions import FakeRegions
from tests.unit.rollout.failover.driver import Driver, begin

WRITES = (StepName.FENCE, StepName.CATCH_UP, StepName.PROMOTE, StepName.OPEN)


def test_a_planned_failover_ends_with_the_other_region_writing_and_every_session_there() -> None:
    driver = Driver()
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert [timing.step for timing in ended.timings] == [step.name for step in PLANS["planned"]]
    assert driver.regions.west.record == RegionRecord(3, "west")
    assert driver.regions.east.record == RegionRecord(3, "west")
    assert (driver.regions.east.connections, driver.regions.west.connections) == (0, 10)
    assert driver.regions.switched_to == "west"


def test_two_regions_never_both_write() -> None:
    driver = Driver()
    driver.run()
    assert all(len(writers) <= 1 for writers in driver.regions.writers_seen)


def test_the_standby_is_promoted_only_after_it_has_seen_the_fence() -> None:
    driver = Driver()
    driver.regions.lagging = True
    driver.run_to(StepName.CATCH_UP)
    for _ in range(8):
        driver.turn()
    assert Promote("west") not in driver.regions.performed
    driver.regions.lagging = False
    assert driver.run().outcome == "promoted"


def test_a_replica_that_stays_behind_ends_with_the_old_region_writing_again() -> None:
    driver = Driver()
    driver.regions.lagging = True
    driver.run_to(StepName.UNFENCE)
    driver.regions.lagging = False
    ended = driver.run()
    assert ended.outcome == "back"
    assert driver.regions.east.record.writer == "east"
    assert Promote("west") not in driver.regions.performed


def test_a_lag_of_5_seconds_is_waited_for() -> None:
    driver = Driver()
    driver.regions.lagging = True
    driver.run_to(StepName.CATCH_UP)
    began = driver.now
    driver.run(lambda _: driver.now - began > 5)
    driver.regions.lagging = False
    assert driver.run().outcome == "promoted"


def test_a_promotion_that_fails_ends_with_the_old_region_writing_and_leading() -> None:
    driver = Driver()
    driver.regions.broken[Promote] = "READONLY"
    ended = driver.run()
    assert ended.outcome == "back"
    assert "READONLY" in ended.reason
    assert driver.regions.east.record == RegionRecord(3, "east")
    assert driver.regions.west.follows == "east"


def test_a_fence_that_a_process_does_not_confirm_is_lifted() -> None:
    driver = Driver()
    driver.regions.east.in_flight = 3
    ended = driver.run()
    assert ended.outcome == "back"
    assert "3 writes in flight" in ended.reason
    assert driver.regions.east.record == RegionRecord(3, "east")


def test_an_emergency_takes_over_without_the_old_region() -> None:
    driver = Driver(failover=begin("emergency"))
    driver.regions.east.is_dead = True
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert driver.regions.east.is_blocked
    assert driver.regions.west.record == RegionRecord(2, "west")
    assert driver.regions.switched_to == "west"
    assert ended.missing is not None and ended.missing.link == "down"


def test_an_emergency_blocks_the_old_region_before_it_promotes() -> None:
    driver = Driver(failover=begin("emergency"))
    driver.run()
    performed = driver.regions.performed
    assert performed.index(Block("east")) < performed.index(Promote("west"))
    assert all(len(writers) <= 1 for writers in driver.regions.writers_seen)


def test_an_emergency_that_cannot_promote_is_stuck_with_advice_and_goes_on_later() -> None:
    driver = Driver(failover=begin("emergency"))
    driver.regions.east.is_dead = True
    driver.regions.broken[Promote] = "no route to host"
    ended = driver.run()
    assert ended.outcome == "stuck"
    assert "no route to host" in ended.reason and "isshoni failover" in ended.reason
    del driver.regions.broken[Promote]
    driver.failover = ended.take_up(driver.now)
    assert driver.run().outcome == "promoted"


def test_a_term_above_every_known_one_is_used_after_an_emergency() -> None:
    driver = Driver(failover=replace(begin("emergency"), term=7))
    driver.regions.east.is_dead = True
    driver.run()
    assert driver.regions.west.record == RegionRecord(8, "west")


@pytest.mark.parametrize("step", [step.name for step in PLANS["planned"]])
def test_an_engine_killed_at_a_step_before_its_action_is_continued(step: StepName) -> None:
    driver = Driver()
    driver.regions.moves_per_order = 3
    if step is not StepName.READ:
        driver.run_to(step)
    driver.failover = driver.failover.take_up(driver.now + 60)
    driver.now, driver._acted_at = driver.now + 60, None
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert all(len(writers) <= 1 for writers in driver.regions.writers_seen)


@pytest.mark.parametrize("kind", [WriteRecord, Promote, Follow, Switch, Move])
def test_an_action_that_was_done_and_not_recorded_is_done_again(kind: type[Action]) -> None:
    driver = Driver()
    driver.regions.moves_per_order = 3
    driver.run(lambda _: any(isinstance(each, kind) for each in driver.regions.performed))
    driver._acted_at = None
    assert driver.run().outcome == "promoted"


@pytest.mark.parametrize("step", [step.name for step in PLANS["planned"] if step.before_opening])
def test_an_abort_before_the_opening_goes_back(step: StepName) -> None:
    driver = Driver()
    driver.regions.lagging = step is StepName.CATCH_UP
    if step is not StepName.READ:
        driver.run_to(step)
    driver.ask("abort")
    driver.turn()
    driver.regions.lagging = False
    ended = driver.run() if driver.failover.outcome == "running" else driver.failover
    assert ended.outcome == "back"
    assert driver.regions.east.record.writer == "east"
    assert driver.regions.west.follows == "east"


def test_an_abort_after_the_opening_is_refused_and_names_failback() -> None:
    driver = Driver()
    driver.regions.moves_per_order = 1
    driver.run_to(StepName.MOVE)
    driver.ask("abort")
    assert driver.run().outcome == "promoted"
    assert any("isshoni failback" in event.why for event in driver.events)


REFUSED = "503: Redis refused it: NOREPLICAS Not enough good replicas to write."


def test_a_fence_that_redis_refuses_ends_as_before_and_says_why() -> None:
    driver = Driver()
    driver.regions.broken[WriteRecord] = REFUSED
    ended = driver.run()
    assert ended.outcome == "back"
    assert REFUSED in ended.reason
    assert "east never stopped writing" in ended.reason
    assert driver.regions.east.record == RegionRecord(1, "east")
    assert driver.regions.west.follows == "east"


def test_a_fence_that_redis_refuses_for_a_while_is_asked_for_again() -> None:
    driver = Driver()
    driver.regions.broken[WriteRecord] = REFUSED
    driver.run(lambda failover: failover.faults.get(StepName.FENCE) is not None)
    driver.regions.broken.clear()
    assert driver.run().outcome == "promoted"


def test_a_fenced_region_whose_redis_refuses_to_open_again_is_stuck_with_two_ways_on() -> None:
    driver = Driver()
    driver.regions.lagging = True
    driver.run_to(StepName.CATCH_UP)
    driver.regions.broken[WriteRecord] = REFUSED
    ended = driver.run()
    assert ended.outcome == "stuck"
    assert REFUSED in ended.reason
    assert "`isshoni failover` goes on" in ended.reason
    assert "`isshoni failover --emergency` lets west serve" in ended.reason
    driver.regions.broken.clear()
    driver.regions.lagging = False
    driver.failover = ended.take_up(driver.now)
    assert driver.run().outcome == "back"
    assert driver.regions.east.record.writer == "east"


def test_a_pause_before_the_fence_waits_for_resume() -> None:
    driver = Driver()
    driver.run_to(StepName.PROVE_STANDBY)
    driver.ask("pause")
    for _ in range(40):
        driver.turn()
    assert driver.failover.step.name is StepName.PROVE_STANDBY
    driver.ask("resume")
    assert driver.run().outcome == "promoted"


@pytest.mark.parametrize("step", [StepName.FENCE, StepName.FOLLOW, StepName.MOVE])
def test_no_pause_begins_while_writes_wait(step: StepName) -> None:
    driver = Driver()
    driver.run_to(step)
    driver.ask("pause")
    assert driver.run().outcome == "promoted"
    refused = [event.why for event in driver.events if event.what == "request_refused"]
    assert refused == ["pause: not now: writes wait until it ends"]


def test_a_standby_of_another_version_is_refused_and_nothing_changes() -> None:
    driver = Driver()
    driver.regions.west.release = "v2"
    ended = driver.run()
    assert ended.outcome == "back"
    assert "v2" in ended.reason and driver.now < 2, "waiting changes no version"
    assert driver.regions.performed == []


def test_a_standby_with_fewer_processes_is_refused() -> None:
    driver = Driver()
    driver.regions.east.processes = 2
    ended = driver.run()
    assert ended.outcome == "back"
    assert driver.regions.east.record == RegionRecord(1, "east")


def test_a_source_that_dies_while_it_is_fenced_is_stuck_and_an_emergency_goes_on() -> None:
    driver = Driver()
    driver.regions.lagging = True
    driver.run_to(StepName.CATCH_UP)
    driver.regions.east.is_dead = True
    ended = driver.run()
    assert ended.outcome == "stuck"
    assert "--emergency" in ended.reason
    driver.failover = ended.make_emergency(driver.now)
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert driver.regions.west.record.term > 2


def test_a_source_that_dies_after_the_standby_has_every_write_does_not_stop_it() -> None:
    driver = Driver()
    driver.run_to(StepName.CATCH_UP)
    driver.regions.east.is_dead = True
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert driver.regions.west.record == RegionRecord(3, "west")


def test_an_old_region_that_does_not_follow_is_a_warning() -> None:
    driver = Driver()
    driver.regions.broken[Follow] = "LOADING"
    ended = driver.run()
    assert ended.outcome == "promoted"
    assert "LOADING" in ended.reason
    assert driver.regions.east.connections == 0


def test_a_source_that_dies_while_sessions_move_does_not_stop_the_failover() -> None:
    driver = Driver()
    driver.regions.moves_per_order = 1
    driver.run_to(StepName.MOVE)
    driver.regions.east.is_dead = True
    assert driver.run().outcome == "promoted"


def test_a_failback_is_a_planned_failover_the_other_way() -> None:
    driver = Driver()
    driver.run()
    driver.failover = replace(begin(), source="west", target="east", began=driver.now)
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert driver.regions.east.record == RegionRecord(5, "east")


def test_an_opening_that_fails_is_stuck_and_goes_on_from_there() -> None:
    driver = Driver()
    driver.regions.west.public_down = True
    ended = driver.run()
    assert ended.outcome == "stuck"
    assert ended.step.name is StepName.OPEN
    driver.regions.west.public_down = False
    driver.failover = ended.take_up(driver.now)
    assert driver.run().outcome == "promoted"


def test_fakes_start_as_a_pair_in_which_the_west_follows() -> None:
    assert FakeRegions().west.follows == "east"


def test_a_standby_that_lacks_the_last_writes_before_the_fence_is_waited_for() -> None:
    driver = Driver()
    driver.regions.east.processes = driver.regions.west.processes = 2
    driver.run_to(StepName.CATCH_UP)
    driver.regions.lagging, driver.regions.west.stamp = True, 1
    for _ in range(4):
        driver.turn()
    assert driver.failover.step.name is StepName.CATCH_UP
    driver.regions.lagging = False
    assert driver.run().outcome == "promoted"


def test_an_old_region_that_came_back_is_made_a_replica_before_users_return_to_it() -> None:
    driver = Driver(failover=begin("emergency"))
    driver.run()
    driver.regions.east.is_blocked = False
    driver.failover = replace(begin(), source="west", target="east", began=driver.now)
    ended = driver.run()
    assert ended.outcome == "promoted", ended.reason
    assert driver.regions.performed.count(Follow("east", "west", keeps_copy=True)) == 1
