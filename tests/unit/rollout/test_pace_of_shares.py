"""The pace of a canary's shares: each begins with what the one before has shown."""

import pytest

from isshoni.rollout.plan import RolloutPlan
from tests.unit.rollout.machine import Machine, move_shares

PLAN = RolloutPlan()
CEILING = PLAN.migrate_rate_per_second
CPU_CEILING = PLAN.pace.cpu_ceiling_pct


@pytest.mark.parametrize("bake_seconds", [1.0, 3.0])
def test_on_a_free_machine_the_second_share_begins_at_the_ceiling(bake_seconds: float) -> None:
    shares = move_shares(Machine(clients=1000), PLAN, bake_seconds=bake_seconds)
    assert [share.begins_with for share in shares] == [CEILING / 4, CEILING, CEILING]
    assert max(share.peak_cpu_pct for share in shares) <= CPU_CEILING
    assert sum(share.seconds for share in shares) <= 6.5


@pytest.mark.parametrize("restore_cost", [0.004, 0.006, 0.01, 0.02])
def test_what_would_not_bear_twice_the_rate_is_not_asked_to(restore_cost: float) -> None:
    machine = Machine(clients=1000, cores=4, restore_cost=restore_cost)
    shares = move_shares(machine, PLAN, bake_seconds=3.0)
    assert shares[1].begins_with <= 0.9 / restore_cost
    # A whole core is used for a moment by the first rate already, where it is that slow.
    most = CPU_CEILING if restore_cost < 0.02 else 100.0
    assert all(share.peak_cpu_pct <= 1.05 * most for share in shares)


def test_a_share_of_a_few_clients_shows_nothing_about_the_next_one() -> None:
    shares = move_shares(Machine(clients=40), PLAN, bake_seconds=3.0)
    assert [share.begins_with for share in shares[:2]] == [CEILING / 4, CEILING / 4]
