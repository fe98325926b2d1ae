"""Evacuating a process, and evening out the processes of a slot."""

import asyncio

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.errors import LeaseHeld, NothingToDo
from isshoni.engine.evacuation import evacuate, include
from isshoni.engine.operations import Engine, hold_lease
from isshoni.engine.processes import MoveProgress
from isshoni.engine.rebalancing import rebalance
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import begin_rollout
from tests.support.fake_environment import FakePorts, World
from tests.support.fake_processes import FakeProcesses, ProcessesClock
from tests.support.memory_journal import MemoryJournal

PLAN = RolloutPlan()


def make_engine(processes: FakeProcesses) -> Engine:
    ports = FakePorts(World())
    environment = Environment(ports, ports, ports, ports, MemoryJournal())
    return Engine(environment, ProcessesClock(processes), "ann")


async def test_an_evacuated_process_ends_empty_and_out_of_the_balancer() -> None:
    processes, shown = FakeProcesses(blue_0=30, blue_1=50), list[MoveProgress]()
    done = await evacuate(make_engine(processes), processes, "blue-1", PLAN, shown.append)
    assert (done.moved, done.closed) == (50, 0)
    assert len(processes.all["blue-0"].sessions) == 80
    left = processes.all["blue-1"]
    assert (left.sessions, left.evacuated, left.order) == (set(), True, None)
    assert shown[-1].connections == 0 and shown[-1].moved == 50


async def test_the_rate_follows_the_load_of_those_that_take_the_sessions() -> None:
    processes = FakeProcesses(blue_0=0, blue_1=300)
    processes.all["blue-0"].gauges = {"cpu_pct": 300.0}
    await evacuate(make_engine(processes), processes, "blue-1", PLAN)
    assert processes.rates[-1] < processes.rates[0]


@pytest.mark.parametrize("why", ["alone", "unready", "evacuated"])
async def test_the_last_process_that_serves_is_not_evacuated(why: str) -> None:
    processes = FakeProcesses(blue_0=5) if why == "alone" else FakeProcesses(blue_0=5, blue_1=5)
    if why == "unready":
        processes.all["blue-1"].ready = False
    if why == "evacuated":
        processes.all["blue-1"].evacuated = True
    with pytest.raises(NothingToDo, match="only process" if why == "alone" else "blue-1 is"):
        await evacuate(make_engine(processes), processes, "blue-0", PLAN)
    assert not processes.all["blue-0"].evacuated


async def test_no_session_moves_unless_the_balancer_reports_the_process_as_evacuated() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=5)
    processes.obeys_marks = False
    with pytest.raises(EnvironmentFault, match="still sends new connections to blue-1"):
        await evacuate(make_engine(processes), processes, "blue-1", PLAN)
    left = processes.all["blue-1"]
    assert (len(left.sessions), left.evacuated, processes.rates) == (5, False, [])


async def test_a_process_that_does_not_answer_is_given_up_with_the_reason() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=5)
    processes.all["blue-1"].answers = False
    with pytest.raises(EnvironmentFault, match="blue-1 has not answered for 10 s"):
        await evacuate(make_engine(processes), processes, "blue-1", PLAN)


async def test_a_process_that_does_not_answer_each_order_is_emptied_all_the_same() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=50)
    processes.all["blue-1"].unanswered = 20
    done = await evacuate(make_engine(processes), processes, "blue-1", PLAN)
    assert (done.moved, done.closed) == (50, 0)


async def test_a_process_that_answers_no_order_for_long_is_given_up() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=50)
    processes.all["blue-1"].unanswered = 1000
    with pytest.raises(EnvironmentFault, match="blue-1 does not answer"):
        await evacuate(make_engine(processes), processes, "blue-1", PLAN)
    assert len(processes.all["blue-1"].sessions) == 50


async def test_sessions_stay_when_no_other_process_can_take_them_any_more() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=100)

    def lose_the_other(_: MoveProgress) -> None:
        processes.all["blue-0"].ready = False

    with pytest.raises(EnvironmentFault, match="no other process can take the sessions"):
        await evacuate(make_engine(processes), processes, "blue-1", PLAN, lose_the_other)
    assert processes.all["blue-1"].order is None


async def test_an_evacuated_process_is_included_again_and_filled() -> None:
    processes = FakeProcesses(blue_0=200, blue_1=0)
    processes.all["blue-1"].evacuated = True
    done = await rebalance(make_engine(processes), processes, "blue", PLAN)
    assert done.included == ("blue-1",) and done.is_balanced
    assert sum(done.connections.values()) == 200
    assert not any(process.evacuated or process.order for process in processes.all.values())


async def test_including_moves_no_session() -> None:
    processes = FakeProcesses(blue_0=10, blue_1=0)
    processes.all["blue-1"].evacuated = True
    await include(make_engine(processes), processes, ["blue-1"])
    assert not processes.all["blue-1"].evacuated
    assert len(processes.all["blue-0"].sessions) == 10


@pytest.mark.parametrize("counts", [(90, 5, 40), (0, 0, 300), (1, 1, 100)])
async def test_three_processes_end_within_ten_percent_of_the_average(
    counts: tuple[int, int, int],
) -> None:
    processes = FakeProcesses(**{f"blue_{n}": count for n, count in enumerate(counts)})
    done = await rebalance(make_engine(processes), processes, "blue", PLAN)
    assert done.is_balanced, done
    assert sum(done.connections.values()) == sum(counts)


@pytest.mark.parametrize("fault", [asyncio.CancelledError, EnvironmentFault])
async def test_a_rebalance_that_is_cancelled_or_fails_leaves_no_order(
    fault: type[BaseException],
) -> None:
    processes = FakeProcesses(blue_0=100, blue_1=0)

    def end_it(_: MoveProgress) -> None:
        if any(process.order for process in processes.all.values()):
            raise fault

    with pytest.raises(fault):
        await rebalance(make_engine(processes), processes, "blue", PLAN, end_it)
    assert [process.order for process in processes.all.values()] == [None, None]
    assert processes.rates  # there was one


async def test_sessions_that_cannot_be_split_are_left_as_they_are() -> None:
    processes = FakeProcesses(blue_0=1, blue_1=0)
    done = await rebalance(make_engine(processes), processes, "blue", PLAN)
    assert not done.is_balanced and sum(done.connections.values()) == 1


async def test_no_session_moves_during_a_rollout_in_either_order() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=5)
    engine = make_engine(processes)
    with hold_lease(engine, "deploy v2"):
        with pytest.raises(LeaseHeld, match="deploy v2"):
            await evacuate(engine, processes, "blue-1", PLAN)
        with pytest.raises(LeaseHeld):
            await rebalance(engine, processes, "blue", PLAN)

    def find_the_lease_taken(_: MoveProgress) -> None:
        with pytest.raises(LeaseHeld, match="evacuate blue-1"), hold_lease(engine, "deploy v2"):
            pass

    await evacuate(engine, processes, "blue-1", PLAN, find_the_lease_taken)


async def test_no_session_moves_while_a_rollout_is_unfinished() -> None:
    processes = FakeProcesses(blue_0=5, blue_1=5)
    engine = make_engine(processes)
    stable = Stable("blue", Release("v1"))
    begun = begin_rollout("r1", Release("v2"), PLAN, stable, engine.clock.now())
    with hold_lease(engine, "deploy v2") as lease:
        engine.environment.journal.save(begun, [], lease=lease, revision=0)
    with pytest.raises(NothingToDo, match="rollout r1 of v2 is not over"):
        await evacuate(engine, processes, "blue-1", PLAN)
    with pytest.raises(NothingToDo, match="rollout r1"):
        await rebalance(engine, processes, "blue", PLAN)
