"""Clients over MovableSocket, in a real browser, are moved by real backends."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from isshoni.client import SessionClient
from tests.integration.relay.foreign_clients import Clients, has_package
from tests.support.backend import BackendProcess
from tests.support.waiting import wait_until

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ENDS = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
needs_a_browser = pytest.mark.skipif(
    not (has_package("playwright-core") and CHROMIUM.is_file()),
    reason="NOT RUN: needs chromium, and `npm ci` in frontend/",
)


@contextlib.asynccontextmanager
async def serve_both(blue: BackendProcess, green: BackendProcess) -> AsyncIterator[str]:
    """Serve an address that leads to blue, or to the target that a request names."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*ENDS):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            port = (green if b"=green" in head else blue).port
            there, out = await asyncio.open_connection("127.0.0.1", port)
        except ENDS:
            writer.close()
            return
        out.write(head)
        await asyncio.gather(pass_on(reader, out), pass_on(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def has_moved_and_settled(found: Any) -> bool:
    """True once both clients have moved, and everything has come back to them."""
    return (
        len(found["moves"]) == 2
        and found["drawn"] > 0
        and found["sent"] > 0
        and len(found["acks"]) >= found["sent"]
        and len(found["texts"]) >= found["sent"]
    )


@needs_a_browser
@pytest.mark.spec("B1")
async def test_a_y_websocket_and_a_json_client_move_in_chromium_without_a_close_or_a_loss(
    own_backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    command = ("node", "compat/movable-browser.mjs", str(CHROMIUM))
    async with (
        serve_both(own_backend, green) as origin,
        Clients.run(*command, origin, session_id) as page,
        SessionClient(f"ws://127.0.0.1:{green.port}", session_id) as witness,
    ):
        page.order("start")
        await wait_until(lambda: len(witness.elements) > 5, "what is drawn arrives")
        order = {"to": "green", "rate_per_second": 100.0, "within_seconds": 30.0}
        response = await asyncio.to_thread(own_backend.admin, "POST", "/admin/migrate", order)
        response.raise_for_status()
        await page.settle(lambda found: len(found["moves"]) == 2)  # type: ignore[call-overload]
        at_the_move = len(witness.elements)
        await wait_until(lambda: len(witness.elements) > at_the_move + 5, "it draws on green")
        page.order("stop")
        found: Any = await page.settle(has_moved_and_settled)
        own_backend.terminate()  # nothing depends on blue any more
        drawn = [f"drawn-{n}" for n in range(found["drawn"])]
        await wait_until(lambda: set(witness.elements) == set(drawn), "all that was drawn")
    moved = {"to": "green", "moved": True, "reason": ""}
    assert found["moves"] == [moved] * 2
    assert (found["states"], found["closes"], found["left"]) == (["connected"], 0, 0)
    numbers = list(range(1, found["sent"] + 1))
    assert found["acks"] == numbers
    assert found["texts"] == [f"said-{n}" for n in numbers]
