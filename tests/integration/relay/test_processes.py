"""The clients of one process of a program are moved to its other processes, and back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from isshoni.backend.metrics.counters import Gauges
from isshoni.relay.admin import RelayAdmin
from isshoni.relay.doors import Address, Door, FixedDoors
from isshoni.relay.migration import MoveOrder
from isshoni.relay.process_admin import ProcessAdmin
from tests.integration.relay.conftest import Doors, Programs, serve_relay
from tests.integration.relay.test_moves import (
    Member,
    assert_each_got_everything_once,
    crowd,
    expected,
    talk,
)
from tests.support.waiting import wait_until


@pytest.fixture
async def doors(programs: Programs) -> AsyncIterator[Doors]:
    """Serve both programs as the two processes of blue."""
    async with serve_relay(programs.ports) as doors:
        both = tuple(("127.0.0.1", port) for port in programs.ports.values())
        doors.relay.doors = FixedDoors({"blue": Door(programs=both), "green": Door()})
        yield doors


def addresses(doors: Doors) -> tuple[Address, ...]:
    return doors.relay.doors.of("blue").programs


def evacuate(doors: Doors, *evacuated: Address) -> None:
    door = Door(programs=addresses(doors), evacuated=evacuated)
    doors.relay.doors = FixedDoors({"blue": door})


def count(doors: Doors) -> list[int]:
    return [len(doors.relay.clients_at(address)) for address in addresses(doors)]


def find_fullest(doors: Doors) -> int:
    return count(doors).index(max(count(doors)))


def find(admin: RelayAdmin, number: int) -> ProcessAdmin:
    process = admin.find_process(f"blue-{number}")
    assert process is not None
    return process


async def wait_for_all_messages(members: list[Member]) -> None:
    await wait_until(
        lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
        "every client has every message",
    )


def order(to: str, *, share_pct: float = 100.0) -> MoveOrder:
    return MoveOrder(to, 200.0, 20.0, share_pct)


async def test_an_evacuated_process_is_emptied_and_no_client_is_closed(doors: Doors) -> None:
    admin = RelayAdmin(doors.relay, "blue", Gauges())
    async with crowd(doors.ports["blue"]) as members:
        fullest = find_fullest(doors)
        before = count(doors)[fullest]
        talking = asyncio.create_task(talk(members, 20))
        evacuate(doors, addresses(doors)[fullest])
        process = find(admin, fullest)
        process.migrate(order("blue"))
        await wait_until(lambda: count(doors)[fullest] == 0, "it is empty")
        # The move that empties it is counted a moment later.
        await wait_until(
            lambda: process.migration is not None and process.migration.moved == before,
            "every move is counted",
        )
        status = await process.describe()
        assert (status["migration"]["moved"], status["migration"]["closed"]) == (before, 0)
        assert (status["connections"], sum(count(doors))) == (0, len(members))
        await talking
        await wait_for_all_messages(members)
        assert doors.relay.count("blue").moved == 0
        process.cancel_migration()
        assert_each_got_everything_once(members)


async def test_a_new_client_of_a_session_comes_to_the_process_that_has_it(doors: Doors) -> None:
    admin = RelayAdmin(doors.relay, "blue", Gauges())
    async with crowd(doors.ports["blue"]) as members:
        fullest = find_fullest(doors)
        process = find(admin, fullest)
        process.migrate(order(f"blue-{1 - fullest}", share_pct=99.99))
        await wait_until(lambda: count(doors)[fullest] == 0, "all sessions are on the other one")
        process.cancel_migration()
        async with crowd(doors.ports["blue"]) as more:
            assert count(doors)[1 - fullest] == len(members) + len(more)


def count_split(doors: Doors) -> int:
    """Return how many sessions have clients at both processes."""
    first, second = (
        {client.key for client in doors.relay.clients_at(address)} for address in addresses(doors)
    )
    return len(first & second)


async def test_an_order_that_is_cancelled_in_the_middle_of_a_session_leaves_it_in_one_process(
    doors: Doors,
) -> None:
    admin = RelayAdmin(doors.relay, "blue", Gauges())
    async with crowd(doors.ports["blue"]) as members:
        fullest = find_fullest(doors)
        process = find(admin, fullest)
        process.migrate(MoveOrder(f"blue-{1 - fullest}", 20.0, 20.0, 99.99))
        await wait_until(lambda: count_split(doors) > 0, "a session has moved in part")
        process.cancel_migration()
        assert (await process.describe())["migration"] is None
        talking = asyncio.create_task(talk(members, 20))
        await wait_until(lambda: count_split(doors) == 0, "the rest of it has followed")
        # A session of which none had moved stays, and so does one that is now whole.
        assert count(doors)[fullest] > 0
        await talking
        await wait_for_all_messages(members)
        assert_each_got_everything_once(members)
        assert [member.ended_with for member in members] == [None] * len(members)


async def test_another_order_does_not_divide_the_session_that_is_being_finished(
    doors: Doors,
) -> None:
    admin = RelayAdmin(doors.relay, "blue", Gauges())
    async with crowd(doors.ports["blue"]):
        fullest = find_fullest(doors)
        process = find(admin, fullest)
        process.migrate(MoveOrder(f"blue-{1 - fullest}", 20.0, 20.0, 99.99))
        await wait_until(lambda: count_split(doors) > 0, "a session has moved in part")
        process.cancel_migration()
        process.migrate(order(f"blue-{1 - fullest}", share_pct=99.99))
        await wait_until(lambda: count(doors)[fullest] == 0, "all sessions have moved")
        process.cancel_migration()


async def test_a_client_stays_if_the_other_process_cannot_be_reached(doors: Doors) -> None:
    admin = RelayAdmin(doors.relay, "blue", Gauges())
    async with crowd(doors.ports["blue"]) as members:
        fullest = find_fullest(doors)
        before = count(doors)[fullest]
        programs = [("127.0.0.1", 1)] * 2
        programs[fullest] = addresses(doors)[fullest]
        doors.relay.doors = FixedDoors({"blue": Door(programs=tuple(programs))})
        process = find(admin, fullest)
        process.migrate(order(f"blue-{1 - fullest}", share_pct=99.99))
        await wait_until(
            lambda: (
                process.migration is not None
                and process.migration.status()["failures"] == {"unreachable": before}
            ),
            "every move has failed",
        )
        assert [member.ended_with for member in members] == [None] * len(members)
        process.cancel_migration()


async def test_a_process_that_the_colour_does_not_have_is_not_found(doors: Doors) -> None:
    admin = RelayAdmin(doors.relay, "blue", Gauges())
    for name in ("blue-2", "green-0", "blue", "blue-01"):
        assert admin.find_process(name) is None
