"""The contract of the port `Traffic`."""

import pytest

from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Weights
from tests.contract.environments import Place


async def verified(place: Place, weights: Weights) -> bool:
    async def in_force() -> bool:
        return await place.traffic.verify_weights() == weights

    return await wait_until(in_force, 10.0)


async def healthy(place: Place, colour: str) -> bool:
    async def seen() -> bool:
        return {**await place.traffic.observe_health()}[colour]  # type: ignore[index]

    return await wait_until(seen, 20.0)


@pytest.mark.spec("C3")
async def test_applied_weights_are_soon_verified(place: Place) -> None:
    assert await verified(place, Weights(100, 0))
    for weights in (Weights(90, 10), Weights(0, 100), Weights(0, 100), Weights(100, 0)):
        await place.traffic.apply_weights(weights)
        assert await verified(place, weights)


async def test_only_a_colour_that_serves_is_healthy(place: Place) -> None:
    assert await place.traffic.observe_health() == {"blue": True, "green": False}
    await place.compute.start("green", place.better)
    assert await healthy(place, "green")


async def test_counters_follow_the_connections(place: Place) -> None:
    await place.connect(5)
    sample = (await place.traffic.observe_traffic())["blue"]
    assert sample.open_connections == 5
    assert sample.requests >= 5
    assert sample.upgrades >= 5
    assert (sample.errors_5xx, sample.refused) == (0, 0)


async def test_new_connections_go_by_weight_and_old_ones_stay(place: Place) -> None:
    await place.compute.start("green", place.better)
    assert await healthy(place, "green")
    await place.connect(3)
    await place.traffic.apply_weights(Weights(0, 100))
    assert await verified(place, Weights(0, 100))
    await place.connect(4)
    traffic = await place.traffic.observe_traffic()
    assert (traffic["blue"].open_connections, traffic["green"].open_connections) == (3, 4)


async def test_no_connection_goes_to_a_colour_with_nothing_on_it(supervised: Place) -> None:
    place = supervised
    await place.traffic.apply_weights(Weights(0, 100))
    assert await verified(place, Weights(0, 100))
    await place.connect(4)
    traffic = await place.traffic.observe_traffic()
    assert traffic["blue"].open_connections == 4
