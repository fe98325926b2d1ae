"""Stock Hocuspocus clients of a Hocuspocus server move to another process of it, and back."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from isshoni.relay.core.moves import Failure, Timing
from isshoni.relay.core.profiles.names import AUTO, HOCUSPOCUS
from tests.integration.relay.conftest import run_programs, run_relay, serve_relay
from tests.integration.relay.test_moves import move_all
from tests.support.foreign_clients import FRONTEND
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

CLIENTS, DOCUMENTS = 6, 2
Writers = list[dict[str, Any]]


def has_hocuspocus() -> bool:
    """True if this machine can run the npm packages."""
    return bool(shutil.which("node")) and (FRONTEND / "node_modules/@hocuspocus/server").is_dir()


needs_hocuspocus = pytest.mark.skipif(
    not has_hocuspocus(), reason="NOT RUN: no Hocuspocus (npm ci in frontend)"
)


class Clients:
    """A Node process with stock clients in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def order(self, line: str) -> None:
        """Send an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def report(self) -> Writers:
        """Return what each client sees of each document."""
        self.order("report")
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        writers: Writers = json.loads(line)
        return writers

    async def settle(self, condition: Callable[[Writers], bool]) -> Writers:
        """Return the first report for which the condition is true, or the last one."""
        for _ in range(300):
            writers = await self.report()
            if condition(writers):
                break
            await asyncio.sleep(0.1)
        return writers


@contextlib.asynccontextmanager
async def run_clients(port: int, token: str, every_ms: int = 60) -> AsyncIterator[Clients]:
    """Run the clients against a port."""
    process = await asyncio.create_subprocess_exec(
        *("node", "compat/hocuspocus-clients.mjs", f"ws://127.0.0.1:{port}"),
        *(str(CLIENTS), str(DOCUMENTS), str(every_ms), token, uuid4().hex),
        cwd=FRONTEND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    try:
        yield Clients(process)
    finally:
        process.kill()
        await process.wait()


def start_server(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start one process of the server."""
    command = ["node", "compat/hocuspocus-server.mjs", str(port)]
    return subprocess.Popen(command, env=environment, cwd=FRONTEND)


def all_see_each_other(writers: Writers) -> bool:
    """True once every document is loaded, and every client of it is present."""
    return all(one["synced"] and one["present"] == CLIENTS for one in writers)


def has_everything(writers: Writers) -> bool:
    """True once every document has every line, and every update is saved."""
    return all(
        len(one["lines"]) >= len(wanted(writers, one)) and one["unsynced"] == 0 for one in writers
    )


def wanted(writers: Writers, one: dict[str, Any]) -> list[str]:
    """Return every line that was written in a document."""
    return [
        i for other in writers if other["document"] == one["document"] for i in other["written"]
    ]


def assert_equal_and_undisturbed(writers: Writers) -> None:
    """Fail if a document lacks a line, or a client noticed anything."""
    for one in writers:
        assert Counter(one["lines"]) == Counter(wanted(writers, one))
        assert one["lines"] == next(
            other["lines"] for other in writers if other["document"] == one["document"]
        )
    for name, value in {"closes": 0, "refusals": 0, "unsynced": 0, "removed": 0}.items():
        assert [one[name] for one in writers] == [value] * len(writers), name
    assert [one["present"] for one in writers] == [CLIENTS] * len(writers)


@needs_hocuspocus
async def test_documents_stay_equal_and_every_update_is_saved(chat_redis: ValkeyServer) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        run_relay(programs, AUTO) as doors,
        run_clients(doors.ports["blue"], "token") as clients,
    ):
        await clients.settle(all_see_each_other)
        clients.order("start")
        await asyncio.sleep(0.5)
        assert await move_all(doors, "blue", "green") == [None] * CLIENTS
        await asyncio.sleep(0.5)
        assert await move_all(doors, "green", "blue") == [None] * CLIENTS
        await asyncio.sleep(3.5)  # longer than news of a client that has left is kept back
        clients.order("stop")
        writers = await clients.settle(has_everything)
        assert_equal_and_undisturbed(writers)


@needs_hocuspocus
async def test_a_client_whose_token_has_expired_stays_where_it_is(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        serve_relay(programs.ports, HOCUSPOCUS, Timing(join_seconds=0.5)) as doors,
        run_clients(doors.ports["blue"], "only-blue") as clients,
    ):
        await wait_until(lambda: len(doors.relay.clients_of("blue")) == CLIENTS, "all are there")
        await clients.settle(all_see_each_other)
        clients.order("start")
        assert await move_all(doors, "blue", "green") == [Failure.JOIN] * CLIENTS
        clients.order("stop")
        writers = await clients.settle(has_everything)
        assert_equal_and_undisturbed(writers)
    assert doors.relay.count("blue").failures == {Failure.JOIN: CLIENTS}
