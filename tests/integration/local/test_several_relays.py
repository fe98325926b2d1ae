"""Several relay processes on one machine: a session's clients share one, and orders reach all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping

import pytest
from websockets.asyncio.client import ClientConnection, connect

from isshoni.environments.backend_api import HttpBackends
from isshoni.environments.local import relay
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Stable, Weights
from tests.integration.local.test_relay import answer, count, relayed
from tests.support.local_environments import close_all, eventually_healthy, pid_of
from tests.support.waiting import wait_until as wait_for

RELAYS = ("relay", "relay-1")
ROOMS = 8
ORDER = {"rate_per_second": 100.0, "within_seconds": 20.0}


@pytest.fixture
async def several(environment: LocalEnvironment) -> AsyncIterator[LocalEnvironment]:
    """An environment with two relays, and v1 on blue."""
    yield await with_relays(environment, 2)


async def with_relays(environment: LocalEnvironment, number: int) -> LocalEnvironment:
    """Return the environment after an `up` with this number of relays."""
    config = environment.config.model_copy(update={"relay_processes": number})
    changed = LocalEnvironment(config)
    await changed.up(Stable("blue", relayed("v1")))
    return changed


async def join(environment: LocalEnvironment, room: int) -> ClientConnection:
    """Open a WebSocket to a session through the balancer."""
    url = environment.addresses().public.replace("http", "ws", 1)
    return await connect(f"{url}/ws/room{room}", ping_interval=None)


async def fill_rooms(environment: LocalEnvironment) -> list[ClientConnection]:
    """Return two clients of each session."""
    return [await join(environment, number % ROOMS) for number in range(2 * ROOMS)]


async def count_by_relay(environment: LocalEnvironment) -> Mapping[str, int]:
    """Return the connections of blue at each relay; -1 for one that does not answer."""
    found = {}
    for name, url in environment.relay.admins_of("blue").items():
        admin = HttpBackends({"blue": url}, environment.admin_token, lambda _: True)
        status = await admin.status("blue")
        found[name] = -1 if status is None else status.connections
    return found


async def until_all_on(environment: LocalEnvironment, colour: str, sockets: int) -> None:
    async def moved() -> bool:
        return await count(environment, "green" if colour == "green" else "blue") == sockets

    assert await wait_until(moved, 30.0), await environment.backends.status("blue")


async def test_a_deploy_a_rollback_and_an_upgrade_reach_the_clients_of_every_relay(
    several: LocalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = await fill_rooms(several)
    status = await several.backends.status("blue")
    assert status is not None
    # No session is in both relays, and both have some.
    assert (status.connections, status.sessions) == (2 * ROOMS, ROOMS)
    assert all(number > 0 for number in (await count_by_relay(several)).values())
    await several.compute.start("green", relayed("v2"))
    await eventually_healthy(several, green=True)
    assert (await several.backends.prove("green")).holds
    await several.backends.migrate("blue", "green", **ORDER)
    await until_all_on(several, "green", 2 * ROOMS)
    assert [await answer(each) for each in sockets] == ["green:hello"] * len(sockets)
    status = await several.backends.status("blue")
    assert status is not None and status.migration is not None
    assert (status.migration.moved, status.migration.done) == (2 * ROOMS, True)
    assert status.migration.rate_per_second == ORDER["rate_per_second"]

    await several.backends.cancel_migration("blue")
    await several.backends.migrate("green", "blue", **ORDER)
    await until_all_on(several, "blue", 2 * ROOMS)
    assert [await answer(each) for each in sockets] == ["blue:hello"] * len(sockets)

    before = [pid_of(several, name) for name in RELAYS]
    monkeypatch.setattr(relay, "__version__", "99.0")
    await several.up(Stable("blue", relayed("v1")))
    await wait_for(
        lambda: all(pid_of(several, n) != pid for n, pid in zip(RELAYS, before, strict=True)),
        "other processes are the relays",
    )
    assert [await answer(each) for each in sockets] == ["blue:hello"] * len(sockets)
    assert await several.find_troubles() == []
    assert [each.close_code for each in sockets] == [None] * len(sockets)
    await close_all(sockets)


async def test_the_end_of_one_relay_cuts_only_its_own_clients(several: LocalEnvironment) -> None:
    sockets = await fill_rooms(several)
    shares = await count_by_relay(several)
    before = pid_of(several, "relay-1")
    os.kill(before, signal.SIGKILL)
    files = ProgramFiles(several.config.state_dir)

    async def runs_again() -> bool:
        seen = files.observed("relay-1")
        # Its new process must answer, or what was cut counts as what is silent.
        answers = (await count_by_relay(several))["relay-1"] == 0
        return seen is not None and seen.pid not in (None, before) and answers

    assert await wait_until(runs_again, 30.0)
    open_ones = [each for each in sockets if each.close_code is None]
    assert len(open_ones) == shares["relay"]
    assert [await answer(each) for each in open_ones] == ["blue:hello"] * len(open_ones)
    troubles = await several.find_troubles()
    assert any(line.startswith("the relay process relay-1 ended") for line in troubles)
    again = await fill_rooms(several)
    assert [await answer(each) for each in again] == ["blue:hello"] * len(again)
    await close_all([*open_ones, *again])


async def test_a_client_gets_another_relay_while_the_one_of_its_session_hangs(
    several: LocalEnvironment,
) -> None:
    sockets: list[ClientConnection] = []

    async def all_join() -> bool:
        try:
            async with asyncio.timeout(2.0):
                for number in range(ROOMS):
                    sockets.append(await join(several, number))
        except TimeoutError:
            return False  # the balancer takes the relay out once health checks have failed
        return True

    pid = pid_of(several, "relay-1")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert await wait_until(all_join, 60.0)
        assert [await answer(each) for each in sockets] == ["blue:hello"] * len(sockets)
    finally:
        os.kill(pid, signal.SIGCONT)
    await close_all(sockets)


async def test_a_relay_that_is_one_too_many_keeps_its_clients_and_ends_without_any(
    several: LocalEnvironment,
) -> None:
    sockets = await fill_rooms(several)
    shares = await count_by_relay(several)
    fewer = await with_relays(several, 1)
    await with_relays(fewer, 1)
    assert fewer.relay.numbers == [0, 1]

    async def applied() -> bool:
        late = await fill_rooms(fewer)
        found = await count_by_relay(fewer)
        sockets.extend(late)
        return (
            found["relay"] - shares["relay"] >= len(late) and found["relay-1"] == shares["relay-1"]
        )

    assert await wait_until(applied, 30.0)
    assert await count(fewer, "blue") == len(sockets)
    assert [await answer(each) for each in sockets] == ["blue:hello"] * len(sockets)
    await close_all(sockets)

    async def empty() -> bool:
        return set((await count_by_relay(fewer)).values()) == {0}

    assert await wait_until(empty, 30.0)
    await with_relays(fewer, 1)
    assert fewer.relay.numbers == [0]


async def test_one_relay_becomes_two_under_open_sockets(environment: LocalEnvironment) -> None:
    one = await with_relays(environment, 1)
    sockets = await fill_rooms(one)
    two = await with_relays(one, 2)
    await two.traffic.apply_weights(Weights(100, 0))

    async def spread() -> bool:
        sockets.extend(await fill_rooms(two))
        return (await count_by_relay(two))["relay-1"] > 0

    assert await wait_until(spread, 30.0)
    assert await count(two, "blue") == len(sockets)
    assert [await answer(each) for each in sockets] == ["blue:hello"] * len(sockets)
    await close_all(sockets)
