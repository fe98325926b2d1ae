"""The contract of the port `Compute`."""

from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Colour, SlotState
from tests.contract.environments import DYING, Place


async def seen(place: Place, colour: Colour) -> SlotState:
    return (await place.compute.observe_slots())[colour]


async def runs(place: Place, colour: Colour) -> bool:
    async def running() -> bool:
        return (await seen(place, colour)).running

    return await wait_until(running, 20.0)


async def answers(place: Place, colour: Colour) -> bool:
    return await place.backends.status(colour) is not None


async def test_a_started_release_runs_on_its_slot_alone(place: Place) -> None:
    await place.compute.prepare(place.better)
    await place.compute.start("green", place.better)
    assert await runs(place, "green")
    green, blue = await seen(place, "green"), await seen(place, "blue")
    assert (green.release, blue.release) == (place.better, place.good)
    assert (green.restarts, green.last_exit, green.healthy) == (0, None, False)


async def test_what_has_no_source_is_resolved_to_itself(place: Place) -> None:
    assert await place.compute.resolve(place.better) == place.better


async def test_starting_the_same_release_again_changes_nothing(place: Place) -> None:
    await place.connect(2)
    await place.compute.start("blue", place.good)
    assert await runs(place, "blue")
    assert (await place.traffic.observe_traffic())["blue"].open_connections == 2


async def test_a_stopped_slot_is_empty_when_stop_returns(place: Place) -> None:
    await place.compute.start("green", place.better)
    assert await runs(place, "green")
    await place.compute.stop("green")
    assert await seen(place, "green") == SlotState()
    await place.compute.stop("green")


async def test_a_start_and_a_stop_are_seen_by_the_next_look(place: Place) -> None:
    assert await seen(place, "green") == SlotState()
    await place.compute.start("green", place.better)
    assert (await seen(place, "green")).release == place.better
    assert await runs(place, "green")
    assert await wait_until(lambda: answers(place, "green"), 20.0)
    await place.compute.stop("green")
    assert await seen(place, "green") == SlotState()
    assert not await answers(place, "green")


async def test_another_release_takes_the_slot_over(supervised: Place) -> None:
    place = supervised
    await place.compute.start("green", DYING)
    await place.compute.start("green", place.better)
    assert await runs(place, "green")
    assert (await seen(place, "green")).release == place.better
    assert (await seen(place, "green")).restarts == 0


async def test_a_program_that_dies_at_once_leaves_its_last_words(supervised: Place) -> None:
    place = supervised
    await place.compute.start("green", DYING)

    async def died() -> bool:
        state = await seen(place, "green")
        return state.restarts > 0 and state.last_exit is not None

    assert await wait_until(died, 20.0)
    state = await seen(place, "green")
    assert state.last_exit == "exit code 3: cannot start"
    assert "cannot start" in await place.compute.tail_log("green", 5)


async def test_the_log_is_given_oldest_first_and_no_longer_than_asked(place: Place) -> None:
    assert await place.compute.tail_log("blue", 0) == []
    assert len(await place.compute.tail_log("blue", 1)) == 1
