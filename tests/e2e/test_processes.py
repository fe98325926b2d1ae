"""A slot of two processes under live clients: evacuated, deployed, rolled back, killed, hung."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest

from isshoni.verify.result import Result
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits
from tests.support.installation import Installation, installation
from tests.support.live_crowd import LiveCrowd

pytestmark = pytest.mark.e2e
CROWD = RunSettings(
    clients=16, sessions=8, habits=Habits(4.0, 1.0), join_seconds=60.0, settle_seconds=60.0
)


@pytest.fixture
def platform() -> Iterator[Installation]:
    with installation(bake_seconds=0.5, require_traffic=False) as made:
        made.configure(processes=2, hang_seconds=8)
        made.up()
        yield made


async def ask(platform: Installation, *arguments: str) -> Any:
    """Run a command that must succeed; return the JSON that it prints."""
    done = await asyncio.to_thread(platform.run, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


async def count_by_process(platform: Installation, colour: str) -> dict[str, int]:
    state = await ask(platform, "status")
    processes = state["seen"]["colours"][colour]["processes"]
    return {process["name"]: process["connections"] for process in processes}


async def live_through(crowd: LiveCrowd, doing: Awaitable[None]) -> Result:
    try:
        await crowd.come()
        await crowd.talk_through(doing)
        return await crowd.judge()
    finally:
        await crowd.leave()


def assert_nothing_was_lost(result: Result) -> None:
    assert result.messages.acked == result.messages.sent > 20
    assert (result.messages.lost, result.messages.doubled, result.messages.reordered) == (0, 0, 0)
    assert (result.edits.lost, result.edits.diverged_sessions) == (0, 0)


@pytest.mark.timeout(300)
async def test_evacuation_deploy_to_one_process_and_rollback_cut_no_client(
    platform: Installation,
) -> None:
    crowd = LiveCrowd(platform.status()["address"].replace("http", "ws", 1), CROWD)

    async def evacuate_deploy_and_roll_back() -> None:
        before = await count_by_process(platform, "blue")
        assert sum(before.values()) == 16 and min(before.values()) > 0
        done = await ask(platform, "evacuate", "blue-1")
        assert (done["moved"], done["closed"]) == (before["blue-1"], 0)
        assert await count_by_process(platform, "blue") == {"blue-0": 16, "blue-1": 0}
        last = await asyncio.to_thread(platform.run, "evacuate", "blue-0")
        assert last.returncode == 7 and "no other process" in last.stderr
        evened = await ask(platform, "rebalance")
        assert evened["included"] == ["blue-1"]
        assert evened["connections"]["blue-1"] > 0
        platform.configure(processes=1)
        assert (await ask(platform, "deploy", "v2"))["outcome"] == "promoted"
        assert await count_by_process(platform, "green") == {"green-0": 16}
        platform.configure(processes=2)
        assert (await ask(platform, "rollback"))["outcome"] == "promoted"
        after = await count_by_process(platform, "blue")
        assert sum(after.values()) == 16 and min(after.values()) > 0

    result = await live_through(crowd, evacuate_deploy_and_roll_back())
    assert_nothing_was_lost(result)
    assert result.gap_ms.clients_cut == 0


@pytest.mark.timeout(300)
async def test_a_killed_and_a_hung_process_of_two_lose_nothing(platform: Installation) -> None:
    crowd = LiveCrowd(platform.status()["address"].replace("http", "ws", 1), CROWD)

    async def kill_one_and_stop_the_other() -> None:
        os.kill(platform.pid("blue-1"), signal.SIGKILL)
        await asyncio.to_thread(platform.wait_for, "blue-1 is back", restarted("blue-1"))
        os.kill(platform.pid("blue"), signal.SIGSTOP)
        await asyncio.to_thread(platform.wait_for, "blue-0 is back", restarted("blue-0"))

    assert_nothing_was_lost(await live_through(crowd, kill_one_and_stop_the_other()))


def restarted(name: str) -> Any:
    def is_back(state: dict[str, Any]) -> bool:
        found = find_process(state, name)
        return bool(found and found["ready"] and found["restarts"] > 0)

    return is_back


@pytest.mark.timeout(300)
async def test_clients_of_a_hung_process_return_to_another_one_before_it_is_ended(
    platform: Installation,
) -> None:
    platform.configure(processes=2, hang_seconds=120)
    platform.up()
    crowd = LiveCrowd(platform.status()["address"].replace("http", "ws", 1), CROWD)

    async def stop_one() -> None:
        before = await count_by_process(platform, "blue")
        assert before["blue-1"] > 0
        hung = platform.pid("blue-1")
        os.kill(hung, signal.SIGSTOP)
        await asyncio.to_thread(platform.wait_for, "all are on blue-0", holds("blue-0", 16))
        assert platform.pid("blue-1") == hung
        os.kill(hung, signal.SIGCONT)
        await asyncio.to_thread(platform.wait_for, "blue-1 is ready", is_ready("blue-1"))
        # It closes the connections that their clients have left, and is not chosen for them.
        await asyncio.to_thread(platform.wait_for, "blue-1 is empty", holds("blue-1", 0))
        assert (await count_by_process(platform, "blue"))["blue-0"] == 16

    assert_nothing_was_lost(await live_through(crowd, stop_one()))


def holds(name: str, connections: int) -> Any:
    return lambda state: find_process(state, name).get("connections") == connections


def is_ready(name: str) -> Any:
    return lambda state: bool(find_process(state, name).get("ready"))


def find_process(state: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the status of a process of blue; an empty one if it could not be read."""
    processes = (state["seen"] or {"colours": {"blue": {"processes": []}}})["colours"]["blue"]
    found: list[dict[str, Any]] = [it for it in processes["processes"] if it["name"] == name]
    return found[0] if found else {}


async def stutter(pid: int) -> None:
    """Let a process run for 0.3 s of each 1.7 s, as one does that hangs again and again."""
    try:
        while True:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(1.4)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.3)
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.timeout(300)
async def test_a_process_that_hangs_again_and_again_is_evacuated_before_it_is_ended(
    platform: Installation,
) -> None:
    async def evacuate_the_slow_one() -> None:
        stuttering = asyncio.create_task(stutter(platform.pid("blue-1")))
        try:
            done = await ask(platform, "evacuate", "blue-1")
        finally:
            stuttering.cancel()
        assert done["closed"] == 0

    address = platform.status()["address"].replace("http", "ws", 1)
    result = await live_through(LiveCrowd(address, CROWD), evacuate_the_slow_one())
    assert_nothing_was_lost(result)
    assert result.gap_ms.clients_cut == 0
