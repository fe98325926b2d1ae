"""The gate that every write to Redis passes: order, refusals, and that none goes round it."""

import asyncio
import math
import re
from pathlib import Path

import pytest

import isshoni.backend.store.redis
from isshoni.backend.store.redis.link import NotWriter, WriteGate
from isshoni.backend.store.redis.link.write_gate import READS
from tests.support.waiting import wait_until


async def write(gate: WriteGate, done: list[int], number: int, seconds: float = math.inf) -> None:
    await gate.enter(seconds)
    done.append(number)
    gate.leave()


async def test_waiting_writes_pass_in_their_order_and_before_later_ones() -> None:
    gate, done = WriteGate(), list[int]()
    gate.close("fenced", keeps_waiting=True)
    waiting = [asyncio.create_task(write(gate, done, number)) for number in range(3)]
    await wait_until(lambda: gate.waiting == 3, "three writes wait")
    gate.open()
    later = [asyncio.create_task(write(gate, done, number)) for number in (3, 4)]
    await asyncio.gather(*waiting, *later)
    assert done == [0, 1, 2, 3, 4]
    assert gate.waiting == gate.in_flight == 0


async def test_a_gate_that_closes_again_before_they_pass_holds_them_in_order() -> None:
    gate, done = WriteGate(), list[int]()
    gate.close("fenced", keeps_waiting=True)
    waiting = [asyncio.create_task(write(gate, done, number)) for number in range(3)]
    await wait_until(lambda: gate.waiting == 3, "three writes wait")
    gate.open()
    gate.close("fenced", keeps_waiting=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert done == []
    gate.open()
    await asyncio.gather(*waiting)
    assert done == [0, 1, 2]


@pytest.mark.parametrize(
    ("seconds", "keeps_waiting"), [(0.0, True), (0.0, False), (10.0, False), (math.inf, False)]
)
async def test_a_write_that_may_not_wait_is_refused_with_the_reason(
    seconds: float, keeps_waiting: bool
) -> None:
    gate = WriteGate()
    gate.close("region west is a standby", keeps_waiting=keeps_waiting)
    with pytest.raises(NotWriter, match="region west is a standby"):
        await gate.enter(seconds)
    assert gate.in_flight == gate.waiting == 0


async def test_waiting_writes_are_refused_once_another_region_writes() -> None:
    gate, done = WriteGate(), list[int]()
    gate.close("fenced", keeps_waiting=True)
    waiting = [asyncio.create_task(write(gate, done, number)) for number in range(2)]
    await wait_until(lambda: gate.waiting == 2, "two writes wait")
    gate.close("region east is a standby", keeps_waiting=False)
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, NotWriter)
    gate.open()
    await write(gate, done, 2)
    assert (done, gate.waiting, gate.in_flight) == ([2], 0, 0)


async def test_a_write_waits_no_longer_than_it_may() -> None:
    gate = WriteGate()
    gate.close("fenced", keeps_waiting=True)
    with pytest.raises(NotWriter):
        await gate.enter(0.01)
    assert gate.waiting == 0


async def test_idle_is_when_every_write_that_passed_has_its_answer() -> None:
    gate = WriteGate()
    await gate.enter(0.0)
    gate.close("fenced", keeps_waiting=True)
    assert not await gate.wait_until_idle(0.01)
    gate.leave()
    assert await gate.wait_until_idle(30.0)


async def test_a_cancelled_write_leaves_no_trace() -> None:
    gate, done = WriteGate(), list[int]()
    gate.close("fenced", keeps_waiting=True)
    tasks = [asyncio.create_task(write(gate, done, number)) for number in range(3)]
    await wait_until(lambda: gate.waiting == 3, "three writes wait")
    assert gate.holds(tasks[1])
    tasks[1].cancel()
    gate.open()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == [0, 2]
    await write(gate, done, 3, 0.0)


def test_no_command_that_writes_goes_round_the_gate() -> None:
    """What goes to one server directly, instead of through `RedisNodes`, only reads."""
    folder = Path(isshoni.backend.store.redis.__file__).parent
    direct = re.compile(r"(?:direct|link)\.execute\(\s*b\"(\w+)\"")
    found = {
        word.encode() for file in folder.glob("*.py") for word in direct.findall(file.read_text())
    }
    assert found
    assert found <= READS
