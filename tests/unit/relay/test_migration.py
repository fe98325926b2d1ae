"""When a move of a relay's clients gives up on one, and how it is closed."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from isshoni.relay.core.moves import Failure
from isshoni.relay.doors import Door
from isshoni.relay.migration import MoveOrder, RelayMigration, make_order
from isshoni.relay.sources import ColourSource
from isshoni.relay.upgrade.messages import MoveRecord

DOOR = Door(close_code=4001, close_reason="reload")
BEGAN = 1000.0


class StuckClient:
    """A client that no program takes, with the part of a link that a move needs."""

    colour = "blue"

    def __init__(self, number: int) -> None:
        self.key = f"/ws/{number}"
        self.link = self
        self.closed: tuple[int, str] | None = None

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class StuckRelay:
    """A relay whose moves all fail."""

    moves_paused = False

    def __init__(self, count: int) -> None:
        self.clients = [StuckClient(number) for number in range(count)]
        self.doors = self

    def of(self, colour: str) -> Door:
        return DOOR

    def clients_of(self, colour: str) -> list[StuckClient]:
        return [client for client in self.clients if client.closed is None]

    def set_share(self, colour: str, to: str, share_pct: float) -> None: ...
    def clear_share(self, colour: str) -> None: ...
    def arm(self, client: StuckClient) -> None: ...

    async def move(self, client: StuckClient, to: str) -> Failure:
        return Failure.REFUSED


@pytest.fixture
async def relay() -> AsyncIterator[StuckRelay]:
    yield StuckRelay(20)


def order(*, over: float, share_pct: float = 100.0, at: float = BEGAN) -> MoveOrder:
    return MoveOrder("green", 1000.0, 1.0, share_pct, close_over_seconds=over, ordered_at=at)


async def run(migration: RelayMigration, relay: StuckRelay, seconds: float) -> list[int]:
    """Run turns for some time; return how many clients were closed after each second."""
    counts = []
    for turn in range(int(seconds * 10) + 1):
        migration.run_turn(BEGAN + turn / 10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if turn % 10 == 0:
            counts.append(sum(client.closed is not None for client in relay.clients))
    return counts


def begin(relay: StuckRelay, wanted: MoveOrder) -> RelayMigration:
    migration = RelayMigration(ColourSource(relay, "blue"), wanted)  # type: ignore[arg-type]
    migration._task.cancel()  # the test makes its turns
    return migration


async def test_clients_that_cannot_be_moved_are_closed_over_the_time_that_is_given(
    relay: StuckRelay,
) -> None:
    migration = begin(relay, order(over=20.0))
    counts = await run(migration, relay, 20)
    assert counts[18] == 20
    assert counts[5] < 8 and 7 <= counts[9] <= 12
    assert {client.closed for client in relay.clients} == {(4001, "reload")}
    assert migration.status()["closed_for"] == {"refused": 20}


async def test_without_such_a_time_each_is_closed_once_its_own_is_over(relay: StuckRelay) -> None:
    counts = await run(begin(relay, order(over=0.0)), relay, 3)
    assert counts[1] == 0 and counts[3] == 20


async def test_an_order_is_the_same_in_the_process_that_continues_it(relay: StuckRelay) -> None:
    wanted = order(over=3.0, share_pct=50.0)
    record = begin(relay, wanted).record()
    # Numbers and text only: the type that a relay of an earlier version reads.
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=MoveRecord)
    assert make_order(read) == wanted


async def test_no_client_is_closed_for_a_share(relay: StuckRelay) -> None:
    counts = await run(begin(relay, order(over=1.0, share_pct=99.0)), relay, 10)
    assert counts[-1] == 0


async def test_another_rate_does_not_begin_the_time_again_and_another_time_does(
    relay: StuckRelay,
) -> None:
    migration = begin(relay, order(over=20.0))
    migration.change_order(order(over=20.0, at=BEGAN + 5))
    assert migration.order.ordered_at == BEGAN
    migration.change_order(order(over=30.0, at=BEGAN + 5))
    assert migration.order.ordered_at == BEGAN + 5
    assert migration.status()["close_over_seconds"] == 30.0
