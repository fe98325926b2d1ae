"""What the balancer must never do: cut a socket, or send somebody to a sick colour."""

import asyncio
from collections import Counter

import pytest
from websockets.exceptions import InvalidStatus

from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Weights
from tests.support.local_environments import (
    close_all,
    colour_of,
    echoes,
    eventually_healthy,
    kill,
    open_socket,
    pid_of,
    slot_release,
)


async def put_in_force(environment: LocalEnvironment, weights: Weights) -> None:
    await environment.traffic.apply_weights(weights)

    async def verified() -> bool:
        return await environment.traffic.verify_weights() == weights

    assert await wait_until(verified, 10.0)


async def colours_of_new_sockets(environment: LocalEnvironment, count: int) -> Counter[str]:
    sockets = [await open_socket(environment) for _ in range(count)]
    colours = Counter(colour_of(socket) for socket in sockets)
    await close_all(sockets)
    return colours


@pytest.mark.spec("C3", "A4")
async def test_weights_health_and_check_paths_change_under_100_sockets(
    running: LocalEnvironment,
) -> None:
    await put_in_force(running, Weights(50, 50))
    sockets = [await open_socket(running) for _ in range(100)]
    assert set(map(colour_of, sockets)) == {"blue", "green"}
    sick = running.config.state_dir / "green.sick"
    elsewhere = slot_release("v2", running.config.state_dir, ready_path="/healthz")
    for share in range(50):
        await put_in_force(running, Weights(100 - share, share))
        if share == 10:
            sick.touch()
            await eventually_healthy(running, blue=True, green=False)
            sick.unlink()
            await eventually_healthy(running, blue=True, green=True)
        if share in (20, 30):  # another path for the health check of one colour, and back
            path = elsewhere.ready_path if share == 20 else "/readyz"
            running._balancer.write_slot("green", path)
    await eventually_healthy(running, blue=True, green=True)
    assert await echoes(sockets)
    traffic = await running.traffic.observe_traffic()
    assert sum(sample.open_connections for sample in traffic.values()) == 100
    await close_all(sockets)


@pytest.mark.spec("C3")
async def test_new_sockets_follow_the_verified_weights(running: LocalEnvironment) -> None:
    assert await colours_of_new_sockets(running, 10) == {"blue": 10}
    await put_in_force(running, Weights(0, 100))
    assert await colours_of_new_sockets(running, 10) == {"green": 10}
    await put_in_force(running, Weights(50, 50))
    shared = await colours_of_new_sockets(running, 60)
    assert min(shared["blue"], shared["green"]) >= 10


async def test_a_killed_candidate_costs_no_new_socket(running: LocalEnvironment) -> None:
    await put_in_force(running, Weights(0, 100))
    held = await open_socket(running, "?target=blue")
    killed = asyncio.create_task(asyncio.to_thread(kill, pid_of(running, "green")))
    colours = await colours_of_new_sockets(running, 60)
    await killed
    assert colours["blue"] > 0
    assert await echoes([held])
    await close_all([held])


async def test_an_upgrade_that_a_sick_colour_refuses_goes_to_the_other(
    running: LocalEnvironment,
) -> None:
    (running.config.state_dir / "green.refuse").touch()
    before = (await running.traffic.observe_traffic())["green"]
    await put_in_force(running, Weights(0, 100))
    assert await colours_of_new_sockets(running, 10) == {"blue": 10}
    after = (await running.traffic.observe_traffic())["green"]
    assert after.errors_5xx - before.errors_5xx == 10  # people do not see it, the engine does


async def test_an_unhealthy_stable_slot_gets_no_connections(running: LocalEnvironment) -> None:
    (running.config.state_dir / "blue.sick").touch()
    await eventually_healthy(running, blue=False, green=True)
    assert await colours_of_new_sockets(running, 10) == {"green": 10}


@pytest.mark.spec("B2")
async def test_a_moving_client_reaches_the_colour_that_it_names(running: LocalEnvironment) -> None:
    for colour in ("blue", "green"):
        socket = await open_socket(running, f"?ticket=t&target={colour}")
        assert colour_of(socket) == colour
        await close_all([socket])


async def test_counters_outlive_the_balancer(running: LocalEnvironment) -> None:
    await colours_of_new_sockets(running, 5)
    before = (await running.traffic.observe_traffic())["blue"]
    kill(pid_of(running, "balancer"))

    async def back() -> bool:
        return await running.is_up()

    assert await wait_until(back, 20.0)
    await eventually_healthy(running, blue=True, green=True)
    assert (await running.traffic.observe_traffic())["blue"].upgrades >= before.upgrades
    await colours_of_new_sockets(running, 5)
    after = (await running.traffic.observe_traffic())["blue"]
    assert after.upgrades - before.upgrades >= 5


async def serves_sockets(environment: LocalEnvironment, colour: str) -> bool:
    try:
        socket = await open_socket(environment, f"?target={colour}")
    except InvalidStatus:
        return False
    await socket.close()
    return colour_of(socket) == colour


@pytest.mark.spec("C3")
async def test_reported_health_is_applied_to_new_connections(running: LocalEnvironment) -> None:
    async def out_of_service() -> bool:
        return not await serves_sockets(running, "green")

    sick = running.config.state_dir / "green.sick"
    for _ in range(3):
        sick.touch()
        assert await wait_until(out_of_service, 10.0)
        sick.unlink()
        await eventually_healthy(running, green=True)
        assert await serves_sockets(running, "green")
