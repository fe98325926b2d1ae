"""The contract of the port `Backends`."""

import pytest

from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import BackendStatus, MigrationStatus
from tests.contract.environments import Place


async def answered(place: Place) -> BackendStatus:
    status = await place.backends.status("blue")
    assert status is not None
    return status


async def test_a_backend_says_how_it_is(place: Place) -> None:
    await place.connect(2)
    status = await answered(place)
    assert (status.version, status.ready, status.draining) == ("v1", True, False)
    assert (status.connections, status.migration) == (2, None)


async def test_an_empty_slot_does_not_answer(place: Place) -> None:
    assert await place.backends.status("green") is None
    proof = await place.backends.prove("green")
    assert not proof.holds and proof.fault
    with pytest.raises(EnvironmentFault, match="green"):
        await place.backends.migrate("green", "blue", rate_per_second=10, within_seconds=5)
    with pytest.raises(EnvironmentFault, match="green"):
        await place.backends.cancel_migration("green")


async def test_a_foreign_program_is_never_asked(place: Place) -> None:
    await place.compute.start("green", place.silent)
    assert await place.backends.status("green") is None


async def test_a_good_backend_proves_redis(place: Place) -> None:
    assert (await place.backends.prove("blue")).holds


@pytest.mark.spec("C4")
async def test_a_migration_moves_every_connection(place: Place) -> None:
    await place.compute.start("green", place.better)
    await place.connect(3)
    await place.backends.migrate("blue", "green", rate_per_second=100, within_seconds=5)

    async def done() -> bool:
        move = (await answered(place)).migration
        return move is not None and move.done

    assert await wait_until(done, 10.0)
    move = (await answered(place)).migration
    assert move == MigrationStatus(
        "green", told=3, moved=3, closed=0, remaining=0, done=True, rate_per_second=100
    )


async def test_a_share_leaves_the_other_sessions_where_they_are(place: Place) -> None:
    await place.compute.start("green", place.better)
    await place.connect(3)  # all in one session, which is beyond 5 %
    await place.backends.migrate(
        "blue", "green", rate_per_second=100, within_seconds=5, share_pct=5
    )
    move = (await answered(place)).migration
    assert move == MigrationStatus(
        "green", 0, 0, 0, remaining=0, done=True, rate_per_second=100, share_pct=5
    )
    assert (await answered(place)).connections == 3


async def test_a_request_is_seen_by_the_next_observation(place: Place) -> None:
    assert (await answered(place)).migration is None
    await place.backends.migrate("blue", "green", rate_per_second=100, within_seconds=5)
    assert (await answered(place)).migration is not None
    await place.backends.cancel_migration("blue")
    assert (await answered(place)).migration is None


async def test_a_cancelled_migration_is_over(place: Place) -> None:
    await place.backends.migrate("blue", "green", rate_per_second=100, within_seconds=5)
    await place.backends.cancel_migration("blue")
    assert (await answered(place)).migration is None
