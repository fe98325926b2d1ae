"""The relay as a process, driven by the engine's own adapter of the admin API."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from isshoni.backend.errors import SettingsFault
from isshoni.environments.backend_api import HttpBackends
from isshoni.rollout.model import BackendStatus, Colour
from tests.integration.relay.conftest import Programs
from tests.integration.relay.test_moves import assert_each_got_everything_once, crowd, expected
from tests.support.valkey import find_free_port
from tests.support.waiting import wait_until

TOKEN = "relay-admin-token-for-the-tests-0123456789"


@dataclass
class Process:
    """A relay process and the addresses of its ports."""

    process: "subprocess.Popen[bytes]"
    ports: dict[Colour, int]
    backends: HttpBackends

    async def status(self, colour: Colour) -> BackendStatus:
        """Return the status of a colour; on a busy machine one answer may take too long."""
        for _ in range(20):
            status = await self.backends.status(colour)
            if status is not None:
                return status
        raise AssertionError(f"the relay does not answer for {colour}")

    async def wait_for_connections(self, blue: int, green: int) -> None:
        """Wait until each colour has so many connections."""
        for _ in range(600):
            found = [(await self.status("blue")).connections]
            found.append((await self.status("green")).connections)
            if found == [blue, green]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"blue and green have {found}, not {[blue, green]}")


@pytest.fixture
async def relay(programs: Programs) -> AsyncIterator[Process]:
    ports: dict[Colour, int] = {"blue": find_free_port(), "green": find_free_port()}
    admin: dict[Colour, int] = {"blue": find_free_port(), "green": find_free_port()}
    environment = os.environ | {"ISSHONI_ADMIN_TOKEN": TOKEN}
    for colour in ports:
        name = f"ISSHONI_RELAY_{colour.upper()}"
        environment[f"{name}_PORT"] = str(ports[colour])
        environment[f"{name}_ADMIN_PORT"] = str(admin[colour])
        environment[f"{name}_PROGRAM_PORT"] = str(programs.ports[colour])
    process = _start(environment)
    urls: dict[Colour, str] = {c: f"http://127.0.0.1:{port}" for c, port in admin.items()}
    backends = HttpBackends(urls, TOKEN, lambda colour: True)
    for _ in range(600):
        if await backends.status("green"):
            break
        await asyncio.sleep(0.05)
    yield Process(process, ports, backends)
    process.kill()
    process.wait()


def _start(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "isshoni.relay"], env=environment)


async def test_the_engine_moves_a_share_then_all_and_brings_all_back(relay: Process) -> None:
    async with crowd(relay.ports["blue"]) as members:
        count = len(members)

        async def talk() -> None:
            for _ in range(30):
                for member in members:
                    await member.send()
                    await asyncio.sleep(0.005)

        await relay.wait_for_connections(count, 0)
        talking = asyncio.create_task(talk())
        order = {"rate_per_second": 50.0, "within_seconds": 120.0}
        await relay.backends.migrate("blue", "green", **order, share_pct=50.0)
        await wait_for_done(relay, "blue")
        moved = (await relay.status("green")).connections
        # Sessions move whole, so that part of the rooms whose hash is below the share.
        assert moved in {5, 10, 15}
        await relay.backends.migrate("blue", "green", **order)
        await relay.wait_for_connections(0, count)
        await relay.backends.cancel_migration("blue")
        await relay.backends.migrate("green", "blue", **order)
        await relay.wait_for_connections(count, 0)
        await talking
        await wait_until(
            lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
            "every client has every message",
        )
        assert_each_got_everything_once(members)
        status = await relay.status("blue")
        assert status.counters["migrated"] == count
        green = await relay.status("green")
        assert green.counters["migrated"] == count
        # A move that failed after blue had answered (a busy machine is never quiet) opened one too.
        failed = sum(n for name, n in green.counters.items() if name.startswith("move_"))
        assert 0 <= status.counters["connections_opened"] - 2 * count <= failed
        assert status.counters["connections_failed"] == 0
        assert status.ready


async def wait_for_done(relay: Process, colour: Colour) -> None:
    """Wait until a move is done."""
    for _ in range(600):
        migration = (await relay.status(colour)).migration
        if migration is not None and migration.done:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the move is not done: {migration}")


async def test_a_program_that_is_gone_makes_its_colour_not_ready(
    relay: Process, programs: Programs
) -> None:
    programs.kill("green")
    status = await relay.status("green")
    assert not status.ready
    assert status.not_ready_reason is not None
    assert "cannot be reached" in status.not_ready_reason
    relay.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(relay.process.wait, 30) == 0


async def test_wrong_settings_are_named_all_at_once() -> None:
    environment = os.environ | {"ISSHONI_RELAY_BLUE_PORT": "no", "ISSHONI_RELAY_PREAMBLE": "-1"}
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "isshoni.relay"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == SettingsFault.exit_code
    for name in ("ISSHONI_RELAY_BLUE_PORT", "ISSHONI_RELAY_PREAMBLE", "ISSHONI_ADMIN_TOKEN"):
        assert name in process.stderr
