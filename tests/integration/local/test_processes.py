"""Slots with several processes: one balancer, one status, any number."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release, Stable, Weights
from tests.support.local_environments import (
    FREE_PORTS,
    close_all,
    echoes,
    eventually_healthy,
    kill,
    pid_of,
    slot_release,
    state_directory,
)


@pytest.fixture
async def pair() -> AsyncIterator[LocalEnvironment]:
    """An environment with two processes on blue."""
    with state_directory() as state_dir:
        config = LocalConfig(
            state_dir=state_dir, ports=FREE_PORTS, stop_seconds=3.0, processes=2, hang_seconds=5.0
        )
        made = LocalEnvironment(config)
        await made.up(Stable("blue", slot_release("v1", state_dir)))
        yield made


def with_processes(environment: LocalEnvironment, count: int) -> LocalEnvironment:
    """Return the same environment as a command sees it whose configuration changed."""
    return LocalEnvironment(environment.config.model_copy(update={"processes": count}))


async def enter(
    environment: LocalEnvironment, session: str = "test", query: str = ""
) -> ClientConnection:
    url = environment.addresses().public.replace("http", "ws", 1)
    return await connect(f"{url}/ws/{session}{query}", ping_interval=None)


def process_of(socket: ClientConnection) -> str:
    assert socket.response is not None
    return socket.response.headers["x-isshoni-process"]


async def test_sessions_are_spread_and_each_stays_together(pair: LocalEnvironment) -> None:
    sockets = [await enter(pair, f"s{n}", f"?token={m}") for n in range(12) for m in range(2)]
    homes = [process_of(socket) for socket in sockets]
    assert set(homes) == {"blue-0", "blue-1"}
    assert homes[::2] == homes[1::2]
    status = await pair.backends.status("blue")
    assert status is not None and status.connections == 24 and status.ready
    shares = {each.name: each.connections for each in status.processes}
    assert shares == Counter(homes)
    traffic = (await pair.traffic.observe_traffic())["blue"]
    assert (traffic.open_connections, traffic.upgrades) == (24, 24)
    await close_all(sockets)


async def test_a_request_that_names_a_process_goes_there(pair: LocalEnvironment) -> None:
    sockets = [await enter(pair, "s", f"?target=blue-{n}") for n in (0, 1, 0, 1)]
    assert list(map(process_of, sockets)) == ["blue-0", "blue-1", "blue-0", "blue-1"]
    await close_all(sockets)


async def test_a_release_with_another_number_deploys_and_rolls_back(
    pair: LocalEnvironment,
) -> None:
    sockets = [await enter(pair, f"s{n}") for n in range(10)]
    alone = with_processes(pair, 1)
    await alone.compute.start("green", slot_release("v2", pair.config.state_dir))
    await eventually_healthy(alone, blue=True, green=True)
    await alone.traffic.apply_weights(Weights(0, 100))
    there = [await enter(alone, f"s{n}", "?target=green") for n in range(10)]
    assert await echoes(sockets) and await echoes(there)
    status = await alone.backends.status("green")
    assert status is not None and [each.name for each in status.processes] == ["green-0"]
    # Back: blue still is two processes, whatever is configured now.
    await alone.traffic.apply_weights(Weights(100, 0))
    back = [await enter(alone, f"s{n}", "?target=blue") for n in range(10)]
    assert set(map(process_of, back)) == {"blue-0", "blue-1"}
    assert await echoes([*sockets, *there, *back])
    await close_all(there)
    await alone.compute.stop("green")
    assert await echoes([*sockets, *back])
    await close_all([*sockets, *back])


async def test_a_start_that_was_interrupted_is_completed(pair: LocalEnvironment) -> None:
    files = ProgramFiles(pair.config.state_dir)
    files.unwant("blue-1")
    await pair.compute.wait_until_gone("blue-1")
    await with_processes(pair, 1).compute.start("blue", slot_release("v1", pair.config.state_dir))

    async def is_whole() -> bool:
        status = await pair.backends.status("blue")
        return status is not None and status.ready and len(status.processes) == 2

    assert await wait_until(is_whole, 30.0)


async def test_a_new_release_includes_a_process_that_was_evacuated(pair: LocalEnvironment) -> None:
    pair.processes.mark_evacuated("blue-1", True)
    await pair.compute.start("blue", slot_release("v1", pair.config.state_dir))
    assert {each.name for each in pair._balancer.read_endpoints("blue") if each.draining} == {
        "blue-1"
    }
    await pair.compute.stop("blue")
    await pair.compute.start("blue", slot_release("v2", pair.config.state_dir))
    assert not any(each.draining for each in pair._balancer.read_endpoints("blue"))


async def test_up_keeps_the_number_of_what_runs(pair: LocalEnvironment) -> None:
    held = await enter(pair)
    await with_processes(pair, 3).up(Stable("blue", slot_release("v1", pair.config.state_dir)))
    assert len(pair.compute.list_processes("blue")) == 2
    assert await echoes([held])
    await close_all([held])


async def test_new_connections_avoid_a_killed_process_at_once(pair: LocalEnvironment) -> None:
    held = [await enter(pair, f"s{n}") for n in range(10)]
    staying = [socket for socket in held if process_of(socket) == "blue-0"]
    kill(pid_of(pair, "blue-1"))
    again = [await enter(pair, f"s{n}") for n in range(10)]
    assert await echoes(staying) and await echoes(again)

    async def is_restarted() -> bool:
        status = await pair.backends.status("blue")
        assert status is not None
        return status.ready and [each.restarts for each in status.processes] == [0, 1]

    assert await wait_until(is_restarted, 30.0)
    slot = (await pair.compute.observe_slots())["blue"]
    assert slot.running and slot.restarts == 1 and "blue-1" in str(slot.last_exit)
    await close_all([*held, *again])


async def test_a_process_that_hangs_is_named_and_restarted(pair: LocalEnvironment) -> None:
    def has_answered_the_supervisor() -> bool:
        seen = ProgramFiles(pair.config.state_dir).observed("blue-1")
        return seen is not None and seen.answered  # before that it counts as starting

    assert await wait_until(has_answered_the_supervisor, 30.0)
    os.kill(pid_of(pair, "blue-1"), signal.SIGSTOP)
    status = await pair.backends.status("blue")
    assert status is not None and not status.ready
    assert "blue-1: it does not answer" in str(status.not_ready_reason)

    async def is_back() -> bool:
        status = await pair.backends.status("blue")
        return status is not None and status.ready and status.processes[1].restarts > 0

    assert await wait_until(is_back, 60.0)


async def test_stopping_a_slot_stops_all_its_processes(pair: LocalEnvironment) -> None:
    pids = [pid_of(pair, name) for name in ("blue", "blue-1")]
    await pair.down()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    release: Release | None = pair.compute.release_on("blue")
    assert release is None
