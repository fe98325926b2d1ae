"""The queue of restores: first come, first served, few at once, sent away once at most."""

import asyncio

from isshoni.backend.live.restore_gate import FEWEST, KEPT_SECONDS, MOST, Place, RestoreGate


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """A gate with a clock, and the order in which places got their turn."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gate = RestoreGate(self.clock, uniform=lambda: 0.5)
        self.order: list[object] = []
        self.running: list[Place] = []
        self.announced: dict[object, int] = {}
        """The pause in milliseconds that a client was announced."""
        self.tasks: dict[object, asyncio.Task[None]] = {}

    async def ask(self, key: object) -> None:
        self.tasks[key] = asyncio.create_task(self._run(self.gate.take_place(key)))
        await asyncio.sleep(0)

    async def _run(self, place: Place) -> None:
        def announce(pause_ms: int) -> None:
            self.announced[place.key] = pause_ms

        await self.gate.enter(place, announce)
        self.order.append(place.key)
        self.running.append(place)

    async def end(self, seconds: float = 0.01, *, done: bool = True) -> None:
        """End the oldest turn after `seconds`."""
        self.clock.now += seconds
        self.gate.leave(self.running.pop(0), done=done)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def fill(self) -> None:
        """Begin as many restores as may run at once."""
        for number in range(self.gate.limit):
            await self.ask(f"busy-{number}")
        self.order.clear()


async def busy_queue(seconds_each: float, waiting: int) -> Queue:
    """Return a queue whose restores end every `seconds_each`, with clients in it."""
    queue = Queue()
    await queue.fill()
    for number in range(300 + waiting):
        await queue.ask(f"first-{number}")
    for _ in range(300):
        await queue.end(seconds_each)
    queue.order.clear()
    return queue


async def test_restores_get_their_turn_in_the_order_of_asking() -> None:
    queue = Queue()
    await queue.fill()
    for key in "abc":
        await queue.ask(key)
    assert queue.gate.queued == 3
    for _ in range(3):
        await queue.end()
    assert queue.order == ["a", "b", "c"]


async def test_a_newcomer_does_not_pass_those_who_wait() -> None:
    queue = Queue()
    await queue.fill()
    await queue.ask("a")
    queue.gate._limit += 1  # room that only the next end gives away
    await queue.ask("b")
    assert queue.order == []
    await queue.end()
    assert queue.order == ["a", "b"]


async def test_fewer_run_at_once_when_each_takes_long_and_more_when_not() -> None:
    slow = await busy_queue(0.02, waiting=0)
    assert slow.gate.limit == FEWEST
    quick = await busy_queue(0.0002, waiting=0)
    assert FEWEST * 2 < quick.gate.limit <= MOST


async def test_a_short_wait_is_not_announced() -> None:
    queue = await busy_queue(0.001, waiting=100)
    await queue.ask("a")
    assert "a" not in queue.announced


async def test_the_pause_grows_with_the_queue() -> None:
    short, long = await busy_queue(0.02, waiting=150), await busy_queue(0.02, waiting=600)
    await short.ask("a")
    await long.ask("a")
    assert 150 * 20 * 1.5 < short.announced["a"] < 150 * 20 * 2.5 + 5000
    assert 600 * 20 * 1.5 < long.announced["a"] < 600 * 20 * 2.5 + 5000


async def test_a_stall_of_the_process_does_not_make_the_pause_absurd() -> None:
    queue = await busy_queue(0.001, waiting=1500)
    await queue.end(1.0)
    await queue.ask("a")
    assert queue.announced["a"] < 20_000


async def test_a_place_is_kept_for_a_client_that_comes_back_in_time_and_no_longer() -> None:
    queue = Queue()
    await queue.fill()
    for key in ("early", "late"):
        await queue.ask(key)
        queue.tasks[key].cancel()
    await queue.ask("a")
    await queue.ask("early")
    queue.clock.now += KEPT_SECONDS + 1
    await queue.ask("late")
    while queue.gate.queued:
        await queue.end()
    assert queue.order == ["early", "a", "late"]


async def test_another_connection_of_a_waiting_client_has_the_same_place() -> None:
    queue = Queue()
    await queue.fill()
    for key in ("a", "b", "a"):
        await queue.ask(key)
    for _ in range(3):
        await queue.end()
    assert queue.order == ["a", "a", "b"]


async def test_a_connection_that_ends_in_the_queue_leaves_its_place_to_the_next_one() -> None:
    queue = Queue()
    await queue.fill()
    await queue.ask("a")
    await queue.ask("b")
    queue.tasks["a"].cancel()
    await asyncio.sleep(0)
    await queue.ask("a")
    for _ in range(2):
        await queue.end()
    assert queue.order == ["a", "b"]


async def test_a_turn_that_comes_with_the_end_of_its_connection_goes_to_the_next() -> None:
    queue = Queue()
    await queue.fill()
    await queue.ask("a")
    await queue.ask("b")
    queue.gate.leave(queue.running.pop(0))
    queue.tasks["a"].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert queue.order == ["b"]


async def test_an_idle_gate_stays_open_after_all_who_waited_have_left() -> None:
    queue = Queue()
    await queue.fill()
    await queue.ask("a")
    queue.tasks["a"].cancel()
    await asyncio.sleep(0)
    while queue.running:
        await queue.end()
    await queue.ask("b")
    assert queue.order == ["b"]
