"""Handshakes that arrive together begin in order, a few in each turn of the event loop."""

import asyncio
import socket
from functools import partial

import pytest

from isshoni.backend.process.handshake_pace import HandshakePace, has_left


async def test_a_few_begin_in_each_turn_in_the_order_of_arrival() -> None:
    pace, begun = HandshakePace(in_a_turn=3, clock=lambda: 0.0), list[int]()
    waits = [not pace.begin(partial(begun.append, number)) for number in range(8)]
    assert waits == [False] * 3 + [True] * 5
    seen = [len(begun)]
    for _ in range(3):
        await asyncio.sleep(0)
        seen.append(len(begun))
    assert seen[:3] == [3, 6, 8]
    assert begun == list(range(8))


async def test_a_newcomer_is_behind_those_who_wait() -> None:
    pace, begun = HandshakePace(in_a_turn=1, clock=lambda: 0.0), list[str]()
    for name in "abc":
        pace.begin(partial(begun.append, name))
    await asyncio.sleep(0)
    pace.begin(partial(begun.append, "d"))
    for _ in range(4):
        await asyncio.sleep(0)
    assert begun == list("abcd")


async def test_a_lone_handshake_begins_at_once_in_every_turn() -> None:
    pace, begun = HandshakePace(in_a_turn=1), list[int]()
    for number in range(3):
        assert pace.begin(partial(begun.append, number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert begun == [0, 1, 2]


async def test_handshakes_take_as_much_time_as_the_rest_of_a_turn_and_no_more() -> None:
    now, begun = [0.0], list[int]()

    def shake_hands(number: int) -> None:
        now[0] += 0.001
        begun.append(number)

    pace = HandshakePace(in_a_turn=1, clock=lambda: now[0])
    for number in range(200):
        pace.begin(partial(shake_hands, number))
    now[0] += 0.020  # something else in the same turn
    await asyncio.sleep(0)
    assert 18 <= len(begun) <= 23
    begun.clear()
    now[0] += 10.0
    await asyncio.sleep(0)
    assert 48 <= len(begun) <= 52


async def test_a_handshake_that_fails_keeps_no_other_waiting() -> None:
    pace, begun = HandshakePace(in_a_turn=1, clock=lambda: 0.0), list[str]()
    failures = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: failures.append(fault))

    def fail() -> None:
        raise OSError("the client has gone")

    pace.begin(partial(begun.append, "a"))
    pace.begin(fail)
    pace.begin(partial(begun.append, "b"))
    for _ in range(4):
        await asyncio.sleep(0)
    assert begun == ["a", "b"]
    assert len(failures) == 1


@pytest.mark.parametrize("half", [False, True])
async def test_a_client_that_gave_up_is_seen_although_nothing_is_read(half: bool) -> None:
    here, there = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=here)
    transport.pause_reading()
    there.sendall(b"GET /ws/s HTTP/1.1")
    assert not has_left(transport)
    if half:
        there.shutdown(socket.SHUT_WR)
    else:
        there.close()
    assert has_left(transport)
    transport.abort()
    there.close()
    await asyncio.sleep(0)
    assert has_left(transport)


def test_no_event_loop_is_needed_before_the_first_handshake() -> None:
    HandshakePace()
    with pytest.raises(RuntimeError):
        HandshakePace().begin(lambda: None)
