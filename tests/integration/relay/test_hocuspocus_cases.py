"""The Hocuspocus provider's own cases hold through the relay, and with a move in the middle.

They are those of ueberdosis/hocuspocus (MIT), tests/provider, with the server's for stateless
messages and `sessionAwareness`; frontend/compat/hocuspocus-cases.mjs has them. Left out:
`observe` and `observeDeep`, which try Yjs without a server; `configuration` and
`messageQueueDeduplication`, which look into the provider before it connects; and the cases of the
server's hooks, which read its memory in the same process. That a moved client has left is not
waited for: it takes up to 30 s, as docs/profiles.md says.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isshoni.relay.core.profiles.names import HOCUSPOCUS
from tests.integration.relay.conftest import Doors, run_programs, serve_relay
from tests.integration.relay.test_hocuspocus import needs_hocuspocus, start_server
from tests.support.foreign_clients import FRONTEND
from tests.support.valkey import ValkeyServer

_CASE = re.compile(r"case=(\d+)")


@asynccontextmanager
async def start_cases(port: int, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the cases against a port."""
    process = await asyncio.create_subprocess_exec(
        *("node", "compat/hocuspocus-cases.mjs", f"ws://127.0.0.1:{port}", *words),
        cwd=FRONTEND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run_cases(port: int, doors: Doors | None = None) -> dict[str, str]:
    """Return what was wrong, by case; with doors each case is moved when it asks for it."""
    moves: set[asyncio.Task[None]] = set()
    async with start_cases(port, *(["move"] if doors else [])) as process:
        assert process.stdout is not None
        async for line in process.stdout:
            said = json.loads(line)
            if "results" in said:
                await asyncio.gather(*moves)
                results: dict[str, str] = said["results"]
                return results
            assert doors is not None
            moves.add(asyncio.create_task(move_case(doors, process, said["move"])))
    raise AssertionError("the cases ended without results")


async def move_case(doors: Doors, process: asyncio.subprocess.Process, number: int) -> None:
    """Move the sockets of a case, and say that it may go on."""
    moving = []
    for client in doors.relay.clients_of("blue"):
        found = _CASE.search(client.handshake.target) if client.handshake else None
        if found and int(found[1]) == number:
            doors.relay.arm(client)
            moving.append(doors.relay.move(client, "green"))
    await asyncio.gather(*moving)
    assert process.stdin is not None
    process.stdin.write(f"{number}\n".encode())


@needs_hocuspocus
async def test_the_provider_sees_the_same_through_the_relay_and_with_a_move_in_the_middle(
    chat_redis: ValkeyServer,
) -> None:
    async with (
        run_programs(start_server, chat_redis.url) as programs,
        serve_relay(programs.ports, HOCUSPOCUS) as quiet,
        serve_relay(programs.ports, HOCUSPOCUS) as moving,
    ):
        direct, relayed, moved = await asyncio.gather(
            run_cases(programs.ports["blue"]),
            run_cases(quiet.ports["blue"]),
            run_cases(moving.ports["blue"], moving),
        )
        count = moving.relay.count("blue")
    for found in (direct, relayed, moved):
        assert {name: fault for name, fault in found.items() if fault} == {}
    assert count.moved >= len(moved)
    assert not count.failures
