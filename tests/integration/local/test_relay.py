"""The relay of a local environment: what goes through it, and what becomes of it."""

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.port_allocation import read_ephemeral_range
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import COLOURS, Colour, Relaying, Release, Stable, Weights
from isshoni.session.identifiers import PROBE_AGENT
from tests.support.local_environments import (
    close_all,
    echoes,
    eventually_healthy,
    open_socket,
    pid_of,
)

PROGRAM = Path(__file__).parents[2] / "support" / "slot_program.py"


def relayed(label: str, *, relay: Relaying | None = Relaying()) -> Release:  # noqa: B008
    """Return a release of the test program, which has no admin port that we know."""
    command = f"{shlex.join([sys.executable, str(PROGRAM)])} {{port}} 0 {{colour}}"
    return Release(label, command=command, relay=relay)


@pytest.fixture
async def relaying(environment: LocalEnvironment) -> AsyncIterator[LocalEnvironment]:
    """An environment with v1 on blue and v2 on green, both behind the relay."""
    await environment.up(Stable("blue", relayed("v1")))
    await environment.compute.start("green", relayed("v2"))
    await eventually_healthy(environment, blue=True, green=True)
    yield environment


async def count(environment: LocalEnvironment, colour: Colour) -> int:
    """Return the connections that the relay reports for a slot."""
    status = await environment.backends.status(colour)
    return -1 if status is None else status.connections


async def answer(socket: ClientConnection) -> str:
    """Return what the program of a socket sends back: its colour, and the message."""
    await socket.send("hello")
    return str(await asyncio.wait_for(socket.recv(), 30.0))


async def test_sockets_go_through_the_relay_and_other_requests_do_not(
    relaying: LocalEnvironment,
) -> None:
    socket = await open_socket(relaying)
    assert await answer(socket) == "blue:hello"
    assert await count(relaying, "blue") == 1
    os.kill(pid_of(relaying, "relay"), signal.SIGSTOP)
    try:
        async with httpx.AsyncClient() as client:
            answered = await client.get(relaying.addresses().public + "/readyz", timeout=30.0)
        assert answered.text == "blue"
    finally:
        os.kill(pid_of(relaying, "relay"), signal.SIGCONT)
    await close_all([socket])


async def test_requests_of_probes_are_counted_apart_from_those_of_users(
    relaying: LocalEnvironment,
) -> None:
    public = relaying.addresses().public + "/hold"

    async def counts(expected: tuple[int, int]) -> bool:
        sample = (await relaying.traffic.observe_traffic())["green"]
        return (sample.open_connections, sample.probe_requests) == expected

    async with httpx.AsyncClient(timeout=60.0) as client:

        def ask(**headers: str) -> asyncio.Task[httpx.Response]:
            request = client.get(public, params={"target": "green"}, headers=headers)
            return asyncio.create_task(request)

        user = ask()
        probes = [ask(**{"User-Agent": PROBE_AGENT}) for _ in range(3)]
        assert await wait_until(lambda: counts((4, 3)), 30.0)
        for probe in probes:  # as when they wait too long: no count stays behind
            probe.cancel()
        assert await wait_until(lambda: counts((1, 0)), 30.0)
        user.cancel()
        assert await wait_until(lambda: counts((0, 0)), 30.0)


async def test_an_order_to_the_relay_moves_sockets_to_the_other_slot_without_a_close(
    relaying: LocalEnvironment,
) -> None:
    sockets = [await open_socket(relaying) for _ in range(5)]
    proof = await relaying.backends.prove("green")
    assert proof.holds and proof.shown == "/readyz answers through the relay"
    await relaying.backends.migrate("blue", "green", rate_per_second=100.0, within_seconds=10.0)

    async def moved() -> bool:
        return await count(relaying, "green") == 5

    assert await wait_until(moved, 30.0)
    assert await echoes(sockets)
    assert await answer(sockets[0]) == "green:hello"
    traffic = await relaying.traffic.observe_traffic()
    assert traffic["blue"].open_connections == 0
    assert traffic["blue"].upgrades == 5
    await close_all(sockets)


async def test_a_new_release_restarts_no_relay_and_ends_the_orders_for_the_one_before(
    relaying: LocalEnvironment,
) -> None:
    relay = pid_of(relaying, "relay")
    order = {"rate_per_second": 100.0, "within_seconds": 10.0}
    await relaying.backends.migrate("green", "blue", **order)
    await relaying.compute.start("green", relayed("v2"))
    status = await relaying.backends.status("green")
    assert status is not None and status.migration is not None
    await relaying.compute.stop("green")
    await relaying.compute.start("green", relayed("v3"))
    await eventually_healthy(relaying, green=True)
    status = await relaying.backends.status("green")
    assert status is not None and status.migration is None
    assert status.version == "v3"
    assert pid_of(relaying, "relay") == relay


async def test_a_client_stays_on_stable_if_the_candidate_refuses_its_session(
    environment: LocalEnvironment,
) -> None:
    bend = environment.config.state_dir
    bent = replace(relayed("v1"), command=f"env TEST_SLOT_DIR={bend} {relayed('v1').command}")
    await environment.up(Stable("blue", bent))
    await environment.compute.start("green", replace(bent, label="v2"))
    await eventually_healthy(environment, green=True)
    (bend / "green.refuse").touch()
    await environment.backends.migrate("blue", "green", rate_per_second=100.0, within_seconds=30.0)
    socket = await open_socket(environment)
    assert await answer(socket) == "blue:hello"
    status = await environment.backends.status("green")
    assert status is not None
    assert status.counters["connections_failed"] >= 1
    await close_all([socket])


async def test_a_killed_relay_is_started_again_and_its_end_is_reported(
    relaying: LocalEnvironment,
) -> None:
    socket = await open_socket(relaying)
    before = pid_of(relaying, "relay")
    os.kill(before, signal.SIGKILL)
    await asyncio.wait_for(socket.wait_closed(), 30.0)
    files = ProgramFiles(relaying.config.state_dir)

    async def runs_again() -> bool:
        seen = files.observed("relay")
        return (
            seen is not None
            and seen.pid not in (None, before)
            and await count(relaying, "blue") == 0
        )

    assert await wait_until(runs_again, 30.0)
    assert any("the relay ended" in trouble for trouble in await relaying.find_troubles())
    again = await open_socket(relaying)
    assert await answer(again) == "blue:hello"
    await close_all([again])


async def test_beside_a_release_without_a_relay_each_socket_takes_its_own_way(
    environment: LocalEnvironment,
) -> None:
    await environment.up(Stable("blue", relayed("v1", relay=None)))
    assert not ProgramFiles(environment.config.state_dir).wanted("relay")
    straight = await open_socket(environment)
    await environment.compute.start("green", relayed("v2"))
    await eventually_healthy(environment, green=True)

    async def relay_answers() -> bool:
        return await count(environment, "green") == 0

    assert await wait_until(relay_answers, 30.0)
    await environment.traffic.apply_weights(Weights(0, 100))

    async def applied() -> bool:
        return await environment.traffic.verify_weights() == Weights(0, 100)

    assert await wait_until(applied, 30.0)
    through = await open_socket(environment)
    assert await answer(through) == "green:hello"
    assert await count(environment, "green") == 1
    traffic = await environment.traffic.observe_traffic()
    assert traffic["blue"].open_connections == 1
    assert traffic["green"].open_connections == 0
    assert any("without a relay" in trouble for trouble in await environment.find_troubles())
    # Back to a release without one: the relay knows where its program is, too.
    await environment.backends.migrate("green", "blue", rate_per_second=100.0, within_seconds=10.0)

    async def moved() -> bool:
        return await count(environment, "green") == 0

    assert await wait_until(moved, 30.0)
    assert await answer(through) == "blue:hello"
    assert await echoes([straight])
    await close_all([straight, through])


async def test_the_ports_of_the_relay_are_kept_and_are_not_ephemeral(
    relaying: LocalEnvironment,
) -> None:
    kept = json.loads((relaying.config.state_dir / "process-ports.json").read_text())
    first, last = read_ephemeral_range()
    ports = [port for name, port in kept.items() if name.startswith("relay")]
    assert len(set(ports)) == 4 and not any(first <= port <= last for port in ports)
    assert LocalEnvironment(relaying.config).relay.ports_of("blue") == relaying.relay.ports_of(
        "blue"
    )


async def test_a_port_of_the_relay_that_was_taken_is_chosen_again(
    environment: LocalEnvironment,
) -> None:
    before = environment.relay.ports_of("green")
    with socket.create_server(("127.0.0.1", before.public)):
        await environment.up(Stable("blue", relayed("v1")))
    after = environment.relay.ports_of("green")
    assert after.public != before.public and after.admin == before.admin


async def test_a_socket_io_client_that_polls_keeps_its_slot_by_a_cookie(
    relaying: LocalEnvironment,
) -> None:
    await relaying.traffic.apply_weights(Weights(50, 50))

    async def applied() -> bool:
        return await relaying.traffic.verify_weights() == Weights(50, 50)

    assert await wait_until(applied, 30.0)
    url = relaying.addresses().public
    seen = set()
    for number in range(30):
        async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
            first = await client.get("/", params={"EIO": "4", "transport": "polling"})
            client.cookies.set("other", str(number))
            session = {"EIO": "4", "transport": "polling", "sid": "s"}
            later = [(await client.get("/", params=session)).text for _ in range(4)]
            sent = await client.post("/", params=session, content=b"40")
        assert later == [first.text] * 4
        assert sent.headers["x-isshoni-colour"] == first.text
        assert "isshoni_slot" in first.headers["set-cookie"]
        seen.add(first.text)
    assert seen == {"blue", "green"}
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        assert "set-cookie" not in (await client.get("/")).headers


async def test_health_checks_of_a_door_count_for_and_against_no_program(
    environment: LocalEnvironment,
) -> None:
    several = environment.config.model_copy(update={"processes": 2})
    environment = LocalEnvironment(several)
    await environment.up(Stable("blue", relayed("v1")))
    sleeps = replace(relayed("v2"), command=f"sh -c 'sleep 1; exec {relayed('v2').command}'")
    await environment.compute.start("green", sleeps)
    await eventually_healthy(environment, green=True)
    status = await environment.backends.status("green")
    assert status is not None
    assert status.counters["connections_failed"] == status.counters["connections_opened"] == 0


async def test_a_program_is_proven_by_a_websocket_at_the_probe_path(
    environment: LocalEnvironment,
) -> None:
    good, wrong = Relaying(probe_path="/ws/probe"), Relaying(probe_path="/nothing")
    await environment.up(Stable("blue", relayed("v1", relay=good)))
    await environment.compute.start("green", relayed("v2", relay=wrong))
    await eventually_healthy(environment, blue=True, green=True)
    proof = await environment.backends.prove("blue")
    assert proof.holds and "/ws/probe opens a WebSocket" in str(proof.shown)
    proof = await environment.backends.prove("green")
    assert not proof.holds and "probe of /nothing was answered with HTTP 4" in str(proof.fault)
    # A probe is no client: no release is judged by it.
    for colour in COLOURS:
        status = await environment.backends.status(colour)
        assert status is not None and status.counters["handshakes"] == 0
