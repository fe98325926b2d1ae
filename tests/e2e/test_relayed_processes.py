"""An unmodified chat in two processes behind the relay: evacuated, evened out, one of them hung."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.test_processes import count_by_process
from tests.e2e.test_relayed_deploy import CHAT, chatting, command_for, run, settle
from tests.integration.relay.test_moves import assert_each_got_everything_once
from tests.support.installation import Installation, installation

pytestmark = pytest.mark.e2e


@pytest.fixture
def platform() -> Iterator[Installation]:
    quick = {"bake_seconds": 0.3, "drain_timeout_seconds": 3.0, "migrate_within_seconds": 10.0}
    with installation(**quick, hold_seconds=4.0) as made:
        shutil.copy(CHAT, made.directory / "chat.py")
        made.configure(processes=2, hang_seconds=6)
        yield made


@pytest.mark.timeout(240)
async def test_evacuating_and_evening_out_processes_closes_no_socket_and_loses_no_message(
    platform: Installation,
) -> None:
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        before = await count_by_process(platform, "blue")
        assert sum(before.values()) == len(members)
        fullest, other = sorted(before, key=lambda name: -before[name])
        done = await run(platform, "evacuate", fullest)
        assert (done["moved"], done["closed"]) == (before[fullest], 0)
        assert await count_by_process(platform, "blue") == {fullest: 0, other: len(members)}
        last = await asyncio.to_thread(platform.run, "evacuate", other)
        assert last.returncode == 7 and "no other process" in last.stderr
        evened = await run(platform, "rebalance")
        assert evened["included"] == [fullest]
        assert min(evened["connections"].values()) >= len(members) // 2 - 10
        report = await run(platform, "deploy", "v2", *command_for("chat:app"))
        assert report["outcome"] == "promoted"
        assert sum((await count_by_process(platform, "green")).values()) == len(members)
        await settle(members)
        assert [member.ended_with for member in members] == [None] * len(members)
    for member in members:
        member.ended_with = None  # they left by themselves
    assert_each_got_everything_once(members)


@pytest.mark.timeout(240)
async def test_a_hung_process_is_ended_and_only_its_own_sockets_close(
    platform: Installation,
) -> None:
    await run(platform, "up", "v1", *command_for("chat:app"))
    async with chatting(platform) as members:
        before = await count_by_process(platform, "blue")
        os.kill(platform.pid("blue-1"), signal.SIGSTOP)
        evacuated = await asyncio.to_thread(platform.run, "evacuate", "blue-1")
        assert evacuated.returncode == 0, evacuated.stderr
        left = [member for member in members if member.ended_with is None]
        assert len(members) - len(left) <= before["blue-1"]
        after = await count_by_process(platform, "blue")
        assert after["blue-1"] == 0 and after["blue-0"] >= before["blue-0"]
