"""A keeper and the relay of another revision: the clients' sockets stay open."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from isshoni.environments.local import relay
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.keeper import Keeper
from isshoni.environments.local.programs import Observed, Program, ProgramFiles
from isshoni.environments.local.relay import describe_version
from isshoni.environments.local.relay_names import RELAY
from isshoni.rollout.model import Stable
from tests.integration.local.test_relay import answer, relayed
from tests.support.local_environments import (
    close_all,
    kill_everything,
    open_socket,
    pid_of,
    state_directory,
)
from tests.support.relay_process import (
    NumberedClient,
    RelayProcesses,
    connect_clients,
    run_echo,
    wait_until_whole,
)
from tests.support.waiting import wait_until

REFUSES = """
import isshoni.relay.core.saved
isshoni.relay.core.saved.VERSION = 99
from isshoni.relay.__main__ import main
raise SystemExit(main())
"""


class KeptRelay:
    """A relay under a keeper."""

    def __init__(self, files: ProgramFiles, relays: RelayProcesses) -> None:
        self.files = files
        self.relays = relays
        self.keepers = [Keeper(RELAY, files)]
        log = str(files.log_path(RELAY))
        self.wanted: Program | None = Program(
            [sys.executable, "-m", "isshoni.relay"],
            log,
            5.0,
            env=relays.environment(),
            label="1",
            takes_over=True,
        )

    def reap(self) -> None:
        """Let the keepers find that their processes have ended: they are the parents."""
        for keeper in self.keepers:
            while keeper.turn(None, time.monotonic() + 100):
                time.sleep(0.01)

    @property
    def seen(self) -> Observed:
        return self.files.observed(RELAY) or Observed("")

    def change(self, **fields: object) -> None:
        assert self.wanted is not None
        self.wanted = msgspec.structs.replace(self.wanted, **fields)
        self.files.want(RELAY, self.wanted)

    async def turn_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.files.log_path(RELAY).read_text()
            self.keepers[-1].turn(self.wanted, time.monotonic())
            await asyncio.sleep(0.01)

    async def wait_for_upgrade(self, before: Observed) -> None:
        await self.turn_until(lambda: self.seen.pid not in {None, before.pid})


@pytest.fixture
async def kept() -> AsyncIterator[KeptRelay]:
    with state_directory() as state_dir:
        files = ProgramFiles(state_dir)
        files.make_directories()
        async with run_echo() as port:
            relays = RelayProcesses(Path(state_dir) / "upgrade", {"blue": port, "green": port})
            kept = KeptRelay(files, relays)
            kept.change()
            await kept.turn_until(relays.is_open)
            yield kept
            kill_everything(state_dir)
            await asyncio.to_thread(kept.reap)


async def _send(clients: list[NumberedClient]) -> None:
    for client in clients:
        await client.send()
    await wait_until_whole(clients)


async def test_another_revision_takes_over_and_counts_as_no_restart(kept: KeptRelay) -> None:
    async with connect_clients(kept.relays.ports["blue"], 10) as clients:
        before = kept.seen
        kept.change(label="2")
        await kept.wait_for_upgrade(before)
        await _send(clients)
        assert kept.wanted is not None
        assert kept.seen.revision == kept.wanted.revision
        assert (kept.seen.restarts, kept.seen.last_exit, kept.seen.spare_pid) == (0, None, None)
        # A supervisor that begins while a process takes over finds both.
        before = kept.seen
        kept.change(label="3")
        await kept.turn_until(lambda: kept.seen.spare_pid)
        kept.keepers.append(Keeper(RELAY, kept.files))
        await kept.wait_for_upgrade(before)
        await _send(clients)
        assert (kept.seen.restarts, kept.seen.last_exit) == (0, None)


async def test_a_revision_that_cannot_take_over_leaves_the_relay_as_it_is(kept: KeptRelay) -> None:
    async with connect_clients(kept.relays.ports["blue"], 10) as clients:
        before = kept.seen
        kept.change(command=[sys.executable, "-c", REFUSES], label="9")
        await kept.turn_until(lambda: kept.seen.upgrade_fault and kept.seen.spare_pid is None)
        await _send(clients)
        assert kept.seen.pid == before.pid
        assert "the relay that serves goes on" in str(kept.seen.upgrade_fault)
        words = describe_version(kept.files)
        assert words is not None
        assert words.startswith("the relay of isshoni 9 has not taken over from the one before it")
        kept.change(command=[sys.executable, "-m", "isshoni.relay"], label="10")
        await kept.wait_for_upgrade(before)
        await _send(clients)
        assert kept.seen.upgrade_fault is None


async def test_a_killed_relay_is_started_again_with_the_wanted_revision(kept: KeptRelay) -> None:
    before = kept.seen
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    await kept.wait_for_upgrade(before)
    await kept.turn_until(kept.relays.is_open)
    assert kept.seen.restarts == 1
    assert "SIGKILL" in str(kept.seen.last_exit)


async def test_up_replaces_the_relay_of_an_earlier_version_under_open_sockets(
    environment: LocalEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    stable = Stable("blue", relayed("v1"))
    await environment.up(stable)
    sockets = [await open_socket(environment) for _ in range(5)]
    first = pid_of(environment, RELAY)
    await environment.up(stable)
    assert pid_of(environment, RELAY) == first
    monkeypatch.setattr(relay, "__version__", "99.0")
    assert any("99.0 is installed" in line for line in await environment.find_troubles())
    await environment.up(stable)
    await wait_until(lambda: pid_of(environment, RELAY) != first, "another process is the relay")
    for socket in sockets:
        assert await answer(socket) == "blue:hello"
    assert await environment.find_troubles() == []
    await close_all(sockets)
