"""All clients of a process come back at one moment (the twin of benchmarks/storm.py)."""

import asyncio
import os
from collections.abc import AsyncIterator

import httpx
import pytest
from benchmarks.support import storm_clients
from benchmarks.support.storm_clients import Client, Crowd, make_clients

from tests.support.backend import BackendProcess
from tests.support.waiting import wait_until

CLIENTS, SESSIONS, STOCK_PCT = 150, 15, 20


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients wait as long as a busy machine needs."""
    monkeypatch.setattr(storm_clients, "RESTORE_TIMEOUT_SECONDS", 30.0)


@pytest.fixture
async def clients(backend: BackendProcess) -> AsyncIterator[list[Client]]:
    """Restored clients; a fifth are plain Yjs clients."""
    crowd = Crowd("127.0.0.1", backend.port, "returning", name=os.urandom(4).hex())
    made = make_clients(crowd, 0, CLIENTS, SESSIONS, STOCK_PCT)
    for client in made:
        client.connect()
    await wait_until(lambda: all(client.restored for client in made), "all are restored")
    yield made
    for client in made:
        client.leave()
    await wait_until(lambda: backend.status()["connections"] == 0, "all have left")


async def cut_all(clients: list[Client]) -> None:
    """Drop every socket, and connect again in the same moment: no client spreads its return."""
    for client in clients:
        client.begin_record()
        client.cut(at_once=True)


async def test_all_are_restored_on_one_connection_each(
    backend: BackendProcess, clients: list[Client]
) -> None:
    before = backend.status()["counters"]
    await cut_all(clients)
    await wait_until(lambda: all(client.restored for client in clients), "all are restored")
    assert {client.times.attempts for client in clients} == {1}
    assert not any(client.times.timed_out for client in clients)
    assert max(client.times.asked_to_wait for client in clients) <= 1
    after = backend.status()["counters"]
    assert after["connections_opened"] - before["connections_opened"] == CLIENTS
    for name in ("connections_failed", "restore_failures", "bad_frames", "refused_handshake"):
        assert after[name] == before[name], name


async def test_health_checks_are_answered_while_all_come_back(
    backend: BackendProcess, clients: list[Client]
) -> None:
    await cut_all(clients)
    async with httpx.AsyncClient(timeout=30) as http:
        checks = [await http.get(f"{backend.url}/readyz") for _ in range(5)]
    assert {check.status_code for check in checks} == {200}
    await wait_until(lambda: all(client.restored for client in clients), "all are restored")


async def test_a_client_that_leaves_before_its_handshake_begins_harms_no_other(
    backend: BackendProcess, clients: list[Client]
) -> None:
    await cut_all(clients)
    await asyncio.sleep(0)
    for client in clients[::2]:
        client.cut()  # it comes back by itself
    await wait_until(lambda: all(client.restored for client in clients), "all are restored")
    assert backend.status()["counters"]["connections_failed"] == 0
