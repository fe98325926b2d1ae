"""The Python client against real processes on one Redis."""

import asyncio

import pytest

from isshoni.client.client import SessionClient
from tests.support.backend import BackendProcess
from tests.support.waiting import wait_until


@pytest.mark.spec("A3", "B1")
async def test_two_clients_on_two_processes_end_up_with_the_same(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    async with (
        SessionClient(f"ws://127.0.0.1:{backend.port}", session_id) as ann,
        SessionClient(f"ws://127.0.0.1:{green.port}", session_id) as bob,
    ):
        assert await ann.wait_until_restored(10)
        assert await bob.wait_until_restored(10)
        await asyncio.gather(*(_work(client, name) for client, name in ((ann, "a"), (bob, "b"))))
        await wait_until(lambda: len(ann.elements) == len(bob.elements) == 60, "all was drawn")
        assert ann.elements == bob.elements


async def _work(client: SessionClient, name: str) -> None:
    for number in range(30):
        client.send_chat(f"{name} {number}")
        client.draw(f"{name}-{number}", {"x": number})
    assert await client.wait_until_saved(10)


@pytest.mark.spec("A4", "B1")
async def test_a_client_outlives_the_process_it_was_on(
    own_backend: BackendProcess, session_id: str
) -> None:
    async with SessionClient(f"ws://127.0.0.1:{own_backend.port}", session_id) as ann:
        assert await ann.wait_until_restored(10)
        ann.send_chat("before")
        ann.draw("before", {"x": 1})
        assert await ann.wait_until_saved(10)
        own_backend.terminate()
        assert await asyncio.to_thread(own_backend.process.wait, 10) == 0
        ann.send_chat("while away")
        ann.draw("while-away", {"x": 2})
        await asyncio.to_thread(own_backend.start)
        assert await ann.wait_until_saved(15)
        watcher = await own_backend.connect(session_id)
        restored = await watcher.restore()
        texts = [event["text"] for event in restored["chat_history"]]
        assert texts == ["before", "while away"]
        assert set(restored["canvas_state"]) == {"before", "while-away"}
        await watcher.close()
