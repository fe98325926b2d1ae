"""What a fault of ours in a background task costs: one connection, never a whole move or drain."""

import asyncio

import pytest

from isshoni.backend import tasks
from isshoni.backend.context import BackendContext
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.in_flight import InFlight, IsUnsent
from isshoni.backend.live.migration import Migration
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.metrics.metrics import Metrics
from isshoni.backend.process.drain import Drain
from isshoni.backend.store.redis.store import RedisStore
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.order import MigrationOrder
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer

ORDER = MigrationOrder("green", rate_per_second=10_000, within_seconds=30)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RESTART_SECONDS", (0.0,))


async def _join(manager: WebSocketManager, count: int) -> list[Peer]:
    peers = [Peer(manager) for _ in range(count)]
    for number, peer in enumerate(peers):
        await peer.restore(client_id=f"c{number}", can=["migrate"])
    return peers


def _manager() -> tuple[WebSocketManager, BackendContext]:
    context = BackendContext(SETTINGS, FakeSessionStore())
    return WebSocketManager(context), context


async def test_a_move_goes_on_after_an_exception_in_one_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager, context = _manager()
    (peer,) = await _join(manager, 1)
    before, failing = tasks.failures.count, [True]
    listed = manager.connections_by_session

    def fail_once() -> list[list[Connection]]:
        if failing and failing.pop():
            raise RuntimeError("changed size during iteration")
        return listed()

    monkeypatch.setattr(manager, "connections_by_session", fail_once)
    migration = Migration(manager, ORDER, context.counters)
    await peer.wait_for("migrate")
    assert tasks.failures.count == before + 1
    migration.cancel()
    await peer.leave()


async def test_a_connection_that_cannot_be_asked_to_move_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager, context = _manager()
    peers = await _join(manager, 3)
    (connections,) = manager.connections_by_session()
    asked = Connection.ask_to_move

    def ask(
        connection: Connection, to: str, within_seconds: float, address: str | None = None
    ) -> None:
        if connection is connections[0]:
            raise ValueError("no ticket for this one")
        asked(connection, to, within_seconds, address)

    monkeypatch.setattr(Connection, "ask_to_move", ask)
    migration = Migration(manager, ORDER, context.counters)
    for peer in peers[1:]:
        await peer.wait_for("migrate")
    await wait_until(lambda: peers[0].code is not None, "the broken connection is closed")
    assert peers[0].code == CloseCode.INTERNAL_ERROR
    assert [peer.code for peer in peers[1:]] == [None, None]
    migration.cancel()
    for peer in peers[1:]:
        await peer.leave()


async def test_a_drain_acknowledges_the_others_where_one_connection_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager, _ = _manager()
    peers = await _join(manager, 3)
    (connections,) = manager.connections_by_session()
    finish = Connection.finish

    async def fail_first(connection: Connection, code: CloseCode) -> None:
        if connection is connections[0]:
            raise ValueError("broken")
        await finish(connection, code)

    monkeypatch.setattr(Connection, "finish", fail_first)
    for peer in peers:
        for n in range(1, 51):
            peer.say(type="chat", n=n, text="x")
    await manager.finish_all()
    assert [peer.code for peer in peers] == [
        CloseCode.INTERNAL_ERROR,
        CloseCode.SERVICE_RESTART,
        CloseCode.SERVICE_RESTART,
    ]
    for peer in peers[1:]:
        assert [ack["n"] for ack in peer.of("ack")] == list(range(1, 51))


async def test_a_drain_after_a_failure_waits_for_the_connections_and_says_so() -> None:
    manager, _ = _manager()
    (peer,) = await _join(manager, 1)
    drain = Drain(manager, bound_seconds=30)
    for n in range(1, 51):
        peer.say(type="chat", n=n, text="x")
    drain.request_after_failure()
    await drain.wait_until_done()
    assert drain.failed
    assert peer.code == CloseCode.SERVICE_RESTART
    assert [ack["n"] for ack in peer.of("ack")] == list(range(1, 51))


async def test_an_answer_that_fails_does_not_stop_the_answers_behind_it() -> None:
    before, writes, answered = tasks.failures.count, InFlight(), list[int]()

    class Done:
        def done(self) -> bool:
            return True

        def cancelled(self) -> bool:
            return False

        def drop(self, is_unsent: IsUnsent) -> None:
            """Do nothing: it was sent."""

    def fail(_: Done) -> None:
        raise ValueError("broken")

    writes.add(Done(), fail)
    writes.add(Done(), lambda _: answered.append(2))
    asyncio.get_running_loop().call_soon(writes.settle)
    await asyncio.wait_for(writes.wait_until_below(1), 10)
    assert answered == [2]
    assert tasks.failures.count == before + 1


async def test_failures_are_among_the_counters_of_the_process() -> None:
    manager, context = _manager()
    metrics = Metrics(context, manager, RedisStore("redis://127.0.0.1:1"))
    assert metrics.counters()["task_failures"] == tasks.failures.count
