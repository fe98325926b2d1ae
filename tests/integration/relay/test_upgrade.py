"""A newer relay process continues with the sockets of the one that serves."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isshoni.environments.backend_api import HttpBackends
from isshoni.errors import IsshoniError
from isshoni.relay.upgrade.meeting import BadDirectory
from isshoni.relay.upgrade.taking import CannotTakeOver
from isshoni.rollout.model import BackendStatus, Colour
from tests.integration.relay.conftest import Programs
from tests.integration.relay.test_moves import assert_each_got_everything_once, crowd, expected
from tests.integration.relay.test_moves import talk as say
from tests.support.relay_process import (
    TOKEN,
    RelayProcesses,
    connect_clients,
    run_echo,
    talk,
    wait_until_whole,
)
from tests.support.waiting import wait_until


@pytest.fixture
async def relays(tmp_path: Path) -> AsyncIterator[RelayProcesses]:
    async with run_echo() as port:
        relays = RelayProcesses(tmp_path / "relay", {"blue": port, "green": port})
        await relays.start_first()
        yield relays
        relays.kill()


async def test_five_upgrades_under_traffic_close_lose_double_and_reorder_nothing(
    relays: RelayProcesses,
) -> None:
    async with connect_clients(relays.ports["blue"], 100) as clients:
        talking = asyncio.create_task(talk(clients, 0.002))
        for _ in range(5):
            assert await relays.upgrade() == 0
        talking.cancel()
        await wait_until_whole(clients)


async def test_a_relay_that_cannot_read_the_state_leaves_the_clients_with_the_other(
    relays: RelayProcesses,
) -> None:
    async with connect_clients(relays.ports["blue"], 5) as clients:
        newer = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _OTHER_VERSION],
            env=relays.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert newer.returncode == CannotTakeOver.exit_code
        assert "the relay that serves goes on" in newer.stderr
        assert "reads [1] and [99]" in newer.stderr
        for client in clients:
            await client.send()
        await wait_until_whole(clients)
        assert await relays.upgrade() == 0


_OTHER_VERSION = """
import isshoni.relay.core.saved
isshoni.relay.core.saved.VERSION = 99
from isshoni.relay.__main__ import main
raise SystemExit(main())
"""


async def test_the_directory_must_be_private(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir(mode=0o755)
    public.chmod(0o755)
    relays = RelayProcesses(public, {"blue": 1, "green": 1})
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "isshoni.relay"],
        env=relays.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == BadDirectory.exit_code
    assert "has the mode 0755" in process.stderr


async def test_a_move_goes_on_in_the_newer_relay(programs: Programs, tmp_path: Path) -> None:
    relays = RelayProcesses(tmp_path / "relay", programs.ports)
    await relays.start_first()
    urls: dict[Colour, str] = {
        "blue": f"http://127.0.0.1:{relays.admin_ports['blue']}",
        "green": f"http://127.0.0.1:{relays.admin_ports['green']}",
    }
    backends = HttpBackends(urls, TOKEN, lambda colour: True)
    async with crowd(relays.ports["blue"]) as members:
        talking = asyncio.create_task(say(members, 40))
        await backends.migrate("blue", "green", rate_per_second=6.0, within_seconds=60.0)
        for _ in range(2):
            assert await relays.upgrade() == 0
        await _wait_until_empty(backends, "blue")
        # A client is of the other colour from the switch on; its move ends a little later.
        while True:
            moved = await backends.status("blue")
            assert moved is not None and moved.migration is not None
            if moved.migration.moved == len(members):
                break
            await asyncio.sleep(0.05)
        assert moved.migration.told == len(members)
        assert moved.counters["migrated"] == len(members)
        await talking
        await wait_until(
            lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
            "every client has every message",
        )
        assert_each_got_everything_once(members)
    relays.kill()


async def _wait_until_empty(backends: HttpBackends, colour: Colour) -> BackendStatus:
    for _ in range(600):
        with contextlib.suppress(IsshoniError):
            status = await backends.status(colour)
            if status is not None and status.connections == 0:
                return status
        await asyncio.sleep(0.05)
    raise AssertionError(f"{colour} still has clients")
