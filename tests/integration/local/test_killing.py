"""kill -9 of anything: it comes back, and the others do not notice."""

import asyncio
import contextlib
import os
import signal

import pytest
import redis.asyncio

from isshoni.environments.errors import RedisFault
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.redis_server import check_redis
from isshoni.environments.local.supervision import ensure_supervisor, supervisor_pid
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release, Stable, Weights
from tests.support.local_environments import (
    close_all,
    colour_of,
    echoes,
    eventually_healthy,
    kill,
    open_socket,
    pid_of,
)

PROGRAMS = ("redis", "balancer", "blue", "green")


def pids(environment: LocalEnvironment) -> dict[str, int]:
    return {name: pid_of(environment, name) for name in PROGRAMS}


def supervisor(environment: LocalEnvironment) -> int:
    pid = supervisor_pid(environment.config.state_dir)
    assert pid is not None
    return pid


async def back_with_another_pid(environment: LocalEnvironment, name: str, old: int) -> bool:
    def changed() -> bool:
        try:
            return pid_of(environment, name) != old
        except AssertionError:
            return False

    return await wait_until(changed, 15.0)


@pytest.mark.spec("C7")
async def test_a_killed_supervisor_stops_no_program_and_the_next_one_adopts_all(
    running: LocalEnvironment,
) -> None:
    before, sockets = pids(running), [await open_socket(running) for _ in range(5)]
    kill(supervisor(running))
    assert supervisor_pid(running.config.state_dir) is None
    assert await echoes(sockets)
    await ensure_supervisor(running.config.state_dir)
    assert pids(running) == before
    assert await echoes(sockets)
    kill(before["green"])  # it looks after them as if they were its own
    assert await back_with_another_pid(running, "green", before["green"])
    await close_all(sockets)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_killed_program_comes_back_and_the_others_stay(
    running: LocalEnvironment, name: str
) -> None:
    before = pids(running)
    os.kill(before[name], signal.SIGKILL)
    assert await back_with_another_pid(running, name, before[name])
    after = pids(running)
    assert {k: v for k, v in after.items() if k != name} == {
        k: v for k, v in before.items() if k != name
    }


async def test_what_redis_took_survives_its_kill(running: LocalEnvironment) -> None:
    async with redis.asyncio.from_url(running.redis_url) as client:
        for number in range(200):
            await client.rpush("written", number)
        old = pid_of(running, "redis")
        os.kill(old, signal.SIGKILL)
    assert await back_with_another_pid(running, "redis", old)

    async def answers() -> bool:
        with contextlib.suppress(RedisFault):
            await check_redis(running.redis_url)
            return True
        return False

    assert await wait_until(answers, 10.0)
    async with redis.asyncio.from_url(running.redis_url) as client:
        assert await client.llen("written") == 200


async def test_weights_survive_a_killed_balancer(running: LocalEnvironment) -> None:
    await running.traffic.apply_weights(Weights(0, 100))
    old = pid_of(running, "balancer")
    os.kill(old, signal.SIGKILL)
    assert await back_with_another_pid(running, "balancer", old)
    assert await wait_until(running.is_up, 10.0)
    assert await running.traffic.verify_weights() == Weights(0, 100)
    await eventually_healthy(running, green=True)
    socket = await open_socket(running)
    assert colour_of(socket) == "green"
    await close_all([socket])


async def test_up_repairs_after_everything_was_killed(
    running: LocalEnvironment, v1: Release
) -> None:
    before = pids(running)
    kill(supervisor(running))
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    await LocalEnvironment(running.config).up(Stable("blue", v1))
    assert await running.is_up()
    socket = await open_socket(running)
    assert await echoes([socket])
    await close_all([socket])


async def test_a_second_supervisor_ends_at_once(running: LocalEnvironment) -> None:
    before, first = pids(running), supervisor(running)
    state_dir = running.config.state_dir
    await asyncio.gather(*(ensure_supervisor(state_dir) for _ in range(3)))
    assert (supervisor(running), pids(running)) == (first, before)
    kill(first)
    await asyncio.gather(*(ensure_supervisor(state_dir) for _ in range(3)))
    assert pids(running) == before
