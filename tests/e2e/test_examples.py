"""The applications in examples/, deployed by their README's commands under stock clients."""

import asyncio
import os
from typing import Any

import pytest

from tests.support.example_crowd import Ledger, Size, has_node_clients, judge, settle
from tests.support.examples import EXAMPLES, copy_example, find_path, read_commands
from tests.support.installation import Installation, installation

pytestmark = pytest.mark.e2e

SIZE = Size()
QUICK = {"bake_seconds": 0.5, "migrate_rate_per_second": 100.0}


async def run(platform: Installation, *words: str) -> None:
    """Run a command, which must succeed."""
    done = await asyncio.to_thread(platform.run, *words, timeout=60)
    assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"


async def wait_for_connections(platform: Installation, colour: str) -> None:
    """Wait until all connections are on one slot."""

    def are_there(status: dict[str, Any]) -> bool:
        slots = (status["seen"] or {"colours": {}})["colours"]
        counts = {name: slot["connections"] for name, slot in slots.items()}
        return {name: count for name, count in counts.items() if count} == {colour: SIZE.count}

    await asyncio.to_thread(platform.wait_for, f"all clients are on {colour}", are_there)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_its_clients_are_moved_by_a_deploy_and_by_a_rollback_and_lose_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    example, commands = EXAMPLES[name], read_commands(name)
    if example.needs_node and not has_node_clients():
        pytest.skip("NOT RUN: no npm packages (npm ci in frontend)")
    monkeypatch.setenv("PATH", find_path(os.environ["PATH"]))
    with installation(**QUICK) as platform:
        copy_example(name, platform.directory)
        await run(platform, *commands["up"])
        address = (await asyncio.to_thread(platform.status))["address"]
        async with example.connect(address, SIZE) as crowd:
            await crowd.start()
            await run(platform, *commands["deploy"])
            await wait_for_connections(platform, "green")
            await run(platform, "rollback")
            await wait_for_connections(platform, "blue")
            await crowd.stop()
            members = await settle(crowd, example.hears)
        assert judge(members, example.hears) == Ledger(lost=0, doubled=0, reordered=0, ends=0)
        assert sum(member.left for member in members) == 0
        assert min(len(member.sent) for member in members) > 10
