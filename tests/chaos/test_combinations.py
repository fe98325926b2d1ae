"""Faults on top of each other, at random.

The seed is printed; `ISSHONI_CHAOS_SEED=7 pytest tests/chaos/test_combinations.py` replays
one. A seed that fails becomes a test of its own in here, named by what it showed.
"""

import os
import secrets

import pytest

from tests.chaos.combination import live_through_combination
from tests.chaos.installation import Installation

RUNS = 2


def _draw_seeds() -> list[int]:
    given = os.environ.get("ISSHONI_CHAOS_SEED")
    return [int(given)] if given else [secrets.randbelow(1_000_000) for _ in range(RUNS)]


@pytest.mark.spec("A4")
async def test_nothing_is_lost_under_a_random_combination(installation: Installation) -> None:
    for seed in _draw_seeds():
        print(f"ISSHONI_CHAOS_SEED={seed}")
        found = await live_through_combination(installation, seed)
        assert not found.broken, f"{found.describe()}\n{installation.logs()}"
