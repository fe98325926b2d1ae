"""Stock y-websocket clients of a y-websocket server move to another process of it, and back."""

import asyncio
from uuid import uuid4

import pytest

from isshoni.relay.core.profiles.names import AUTO, YJS
from tests.integration.relay.conftest import run_app, run_programs, run_relay
from tests.integration.relay.test_moves import move_all
from tests.support.foreign_clients import Report, YWebsockets, has_y_websocket
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS = 8
needs_y_websocket = pytest.mark.skipif(
    not has_y_websocket(), reason="NOT RUN: no y-websocket (npm ci in frontend)"
)


@needs_y_websocket
async def test_documents_stay_equal_and_no_client_is_seen_to_leave(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(run_app("tests.support.yjs_server:app"), chat_redis.url) as programs,
        run_relay(programs, YJS) as doors,
        YWebsockets.run(
            f"ws://127.0.0.1:{doors.ports['blue']}", uuid4().hex, CLIENTS, 0.15
        ) as clients,
    ):
        await _wait_for_all(clients, doors_open=lambda: len(doors.relay.clients_of("blue")))
        await asyncio.sleep(1.0)
        assert await move_all(doors, "blue", "green") == [None] * CLIENTS
        await asyncio.sleep(1.0)
        assert await move_all(doors, "green", "blue") == [None] * CLIENTS
        await asyncio.sleep(3.5)  # longer than news of a client that has left is kept back
        await clients.stop()
        report = await _wait_until_equal(clients)
        assert report.gaps_ms == []
        assert report.connects == [1] * CLIENTS
        assert report.present == [CLIENTS] * CLIENTS
        assert report.removed == 0


@needs_y_websocket
async def test_clients_of_a_pycrdt_websocket_server_keep_their_documents(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(run_app("tests.support.pycrdt_server:app"), chat_redis.url) as programs,
        run_relay(programs, AUTO) as doors,
        YWebsockets.run(
            f"ws://127.0.0.1:{doors.ports['blue']}", uuid4().hex, CLIENTS, 0.15
        ) as clients,
    ):
        for away, to in (("blue", "green"), ("green", "blue")):
            await wait_until(lambda c=away: len(doors.relay.clients_of(c)) == CLIENTS, away)  # type: ignore[misc]
            await asyncio.sleep(0.7)
            assert await move_all(doors, away, to) == [None] * CLIENTS
        await clients.stop()
        report = await _wait_until_equal(clients)
        assert report.gaps_ms == []
        assert report.connects == [1] * CLIENTS
        assert report.removed == 0


async def _wait_for_all(clients: YWebsockets, doors_open) -> None:  # type: ignore[no-untyped-def]
    for _ in range(300):
        report = await clients.report()
        if doors_open() == CLIENTS and report.present == [CLIENTS] * CLIENTS:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not all clients see each other: {report.present}")


async def _wait_until_equal(clients: YWebsockets) -> Report:
    for _ in range(300):
        report = await clients.report()
        if all(document == report.drawn for document in report.documents):
            return report
        await asyncio.sleep(0.1)
    missing = [sorted(report.drawn - document)[:3] for document in report.documents]
    raise AssertionError(f"documents differ; missing: {missing}")
