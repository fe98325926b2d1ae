"""A process that may have few files open: connections are refused with words, and counted."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer

LIMIT = 200
START = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, (100, {LIMIT}))
runpy.run_module("isshoni.backend", run_name="__main__")
"""


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[BackendProcess]:
    program = tmp_path / "start.py"
    program.write_text(START)
    with (
        ValkeyServer(tmp_path / "data", fsync="no") as valkey,
        BackendProcess(valkey.url, tmp_path / "log", program=program) as backend,
    ):
        backend.wait_until_ready()
        yield backend


async def test_beyond_its_open_files_a_process_refuses_and_says_why(
    backend: BackendProcess, session_id: str
) -> None:
    room = LIMIT - 64
    held = [await backend.join(session_id) for _ in range(room)]
    for _ in range(20):
        beyond = await backend.connect(session_id)
        assert await beyond.close_code() == 1013
    status = backend.status()
    assert status["connections"] == room
    assert status["counters"]["refused_full"] == 20
    assert status["gauges"]["open_files_limit"] == LIMIT
    assert "open files" in backend.log
    for client in held:
        await client.close()


async def test_connections_that_the_kernel_cuts_are_told_of(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.join(session_id)
    pid = backend.process.pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, LIMIT))
    await asyncio.to_thread(backend.wait_until, lambda: "event=out_of_open_files" in backend.log)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    assert backend.status()["counters"]["seconds_out_of_files"] >= 1
    await client.chat(1, "still here")
    await client.read("ack")
    await client.close()
