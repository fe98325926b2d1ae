"""Clients that misbehave harm no other client."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.chaos.installation import Installation
from tests.chaos.misfits import MISFITS, Door, find_log_faults
from tests.chaos.ordeal import live_through

SEED = 3


@pytest.mark.spec("A4", "A7")
@pytest.mark.parametrize("name", MISFITS)
async def test_the_others_are_not_hurt_by_clients_that(
    installation: Installation, name: str
) -> None:
    rng = random.Random(SEED)
    log_faults: list[str] = []

    async def misbehave_everywhere(sessions: Sequence[str]) -> None:
        doors = [Door(installation.url, session) for session in sessions]
        async with asyncio.timeout(30):
            await asyncio.gather(*(MISFITS[name](door, rng) for door in doors))
        for door in doors:
            log_faults.extend(await find_log_faults(door))

    verdict = await live_through(installation.url, misbehave_everywhere)
    assert verdict.broken == {}, f"{verdict.result.trouble}\n{installation.logs()}"
    assert verdict.result.gap_ms.clients_cut == 0
    assert log_faults == []
    assert "Traceback" not in installation.log("blue")
