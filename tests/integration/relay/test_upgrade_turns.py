"""Upgrades of several relays: one after the other."""

import asyncio
from pathlib import Path

import pytest

from isshoni.relay.upgrade import turns
from isshoni.relay.upgrade.turns import wait_for_turn
from tests.support.waiting import wait_until


async def test_one_relay_takes_over_at_a_time(tmp_path: Path) -> None:
    path, entered = tmp_path / "relay" / "turns.lock", []

    async def take_over(number: int, end: asyncio.Event) -> None:
        async with wait_for_turn(path):
            entered.append(number)
            await end.wait()

    ends = [asyncio.Event(), asyncio.Event()]
    async with asyncio.TaskGroup() as group:
        group.create_task(take_over(0, ends[0]))
        await wait_until(lambda: entered == [0], "the first takes over")
        group.create_task(take_over(1, ends[1]))
        for _ in range(10):
            await asyncio.sleep(turns._RETRY_SECONDS / 5)
        assert entered == [0]
        ends[0].set()
        await wait_until(lambda: entered == [0, 1], "the second takes over")
        ends[1].set()


async def test_a_relay_does_not_wait_for_ever_for_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.1)
    async with wait_for_turn(tmp_path / "turns"), wait_for_turn(tmp_path / "turns"):
        pass


async def test_a_file_that_cannot_be_locked_delays_no_upgrade(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with wait_for_turn(tmp_path / "file" / "turns.lock"):
        pass
