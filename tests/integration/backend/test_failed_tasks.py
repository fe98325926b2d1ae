"""A task that the process needs fails: connections are drained, and the exit code says so."""

from pathlib import Path

import pytest

from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer

_PROGRAM = """
import asyncio, pathlib, sys
from isshoni.backend.process import server

serve = server._Server.serve

async def serve_until_marked(self, sockets):
    if sockets[0].getsockname()[1] != {admin_port}:
        return await serve(self, sockets)
    serving = asyncio.ensure_future(serve(self, sockets))
    while not pathlib.Path({mark!r}).exists():
        await asyncio.sleep(0.02)
    raise RuntimeError("the listener broke")

server._Server.serve = serve_until_marked
sys.exit(server.main())
"""


@pytest.mark.spec("A9")
async def test_a_listener_that_fails_ends_the_process_in_order(
    valkey: ValkeyServer, tmp_path: Path, session_id: str
) -> None:
    program, mark = tmp_path / "program.py", tmp_path / "mark"
    backend = BackendProcess(valkey.url, tmp_path / "log", program=program)
    program.write_text(_PROGRAM.format(admin_port=backend.admin_port, mark=str(mark)))
    with backend:
        backend.wait_until_ready()
        client = await backend.join(session_id, client_id="ann")
        await client.chat(1)
        await client.read("ack")
        mark.touch()
        assert await client.close_code() == 1012
        assert backend.process.wait(timeout=60) == 4
        log = backend.log
    assert 'event=task_failed error="RuntimeError: the listener broke"' in log
    assert 'task="serve the admin port"' in log
    assert log.index("event=task_failed") < log.index("event=draining") < log.index("event=stopped")
    assert "Traceback" not in log
