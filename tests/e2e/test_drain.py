"""What cannot be moved: sockets that the new version refuses, and answers that do not end."""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets

from tests.support.installation import Installation, installation
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e
CLIENTS, DRAIN_SECONDS = 16, 6
APP = """
import asyncio, os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

VERSION = os.environ["ISSHONI_VERSION"]

async def index(request):
    return PlainTextResponse(VERSION)

async def events(request):
    async def stream():
        for number in range(10_000):
            yield f"data: {VERSION} {number}\\n\\n"
            await asyncio.sleep(0.1)
    return StreamingResponse(stream(), media_type="text/event-stream")

async def long(request):
    async def stream():
        yield f"begin {VERSION}\\n"
        await asyncio.sleep(4)
        yield f"end {VERSION}\\n"
    return StreamingResponse(stream())

async def echo(socket):
    if "x-isshoni-moved-from" in socket.headers and socket.path_params["room"] == "stuck":
        await socket.close()  # it refuses these clients when they are moved
        return
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{VERSION} {text}")

app = Starlette(routes=[
    Route("/", index), Route("/events", events), Route("/long", long),
    WebSocketRoute("/ws/{room}", echo),
])
"""
COMMAND = f"{sys.executable} -m uvicorn app:app --port {{port}} --timeout-graceful-shutdown 1"
OPTIONS = ("--command", COMMAND, "--ready-path", "/", "--json")


@pytest.fixture
def platform() -> Iterator[Installation]:
    with installation(
        bake_seconds=0.2, weights=[100], migrate_within_seconds=1.0, require_traffic=False
    ) as made:
        made.configure(stop_seconds=5.0, drain_close_code=4001, drain_close_reason="new version")
        (made.directory / "app.py").write_text(APP)
        yield made


async def run(platform: Installation, *arguments: str) -> Any:
    done = await asyncio.to_thread(platform.run, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


async def read_close(socket: websockets.ClientConnection) -> tuple[int | None, str | None, float]:
    """Wait until a socket is closed; return code, reason and time."""
    await socket.wait_closed()
    return socket.close_code, socket.close_reason, asyncio.get_running_loop().time()


async def keep_lines(address: str, lines: list[tuple[float, str]]) -> None:
    """Read server-sent events until they end, each with its time."""
    async with httpx.AsyncClient(timeout=60) as http:
        try:
            async with http.stream("GET", f"{address}/events") as answer:
                async for line in answer.aiter_lines():
                    if line:
                        lines.append((asyncio.get_running_loop().time(), line))
        except httpx.HTTPError:
            return


async def ask(address: str, path: str) -> str:
    async with httpx.AsyncClient(timeout=60) as http:
        return (await http.get(f"{address}{path}")).text


@pytest.mark.timeout(240)
async def test_what_cannot_be_moved_stays_until_its_time_is_over(platform: Installation) -> None:
    address = (await run(platform, "up", "v1", *OPTIONS))["address"]
    url = f"{address.replace('http', 'ws', 1)}/ws"
    sockets = [await websockets.connect(f"{url}/stuck") for _ in range(CLIENTS)]
    free = await websockets.connect(f"{url}/free")
    closing = [asyncio.create_task(read_close(socket)) for socket in sockets]
    old: list[tuple[float, str]] = []
    streaming = asyncio.create_task(keep_lines(address, old))
    long = asyncio.create_task(ask(address, "/long"))
    await wait_until(lambda: bool(old), "events come")

    deploying = asyncio.create_task(
        run(platform, "deploy", "v2", *OPTIONS, "--drain", str(DRAIN_SECONDS))
    )
    for _ in range(300):
        if await ask(address, "/") == "v2":
            break
        await asyncio.sleep(0.1)
    new: list[tuple[float, str]] = []
    more = asyncio.create_task(keep_lines(address, new))
    assert await long == "begin v1\nend v1\n"
    report = await deploying
    assert report["outcome"] == "promoted"
    await free.send("hello")
    assert await free.recv() == "v2 hello"
    await free.close()

    closed = [await task for task in closing]
    assert {(code, reason) for code, reason, _ in closed} == {(4001, "new version")}
    times = sorted(at for _, _, at in closed)
    at_once = max(sum(at <= other < at + 1.0 for other in times) for at in times)
    assert at_once <= CLIENTS / 2, times

    await asyncio.wait_for(streaming, 30)
    assert {line.split()[1] for _, line in old} == {"v1"}
    assert old[-1][0] >= times[-1]  # nothing was cut before the drain was over
    assert {line.split()[1] for _, line in new} == {"v2"}
    more.cancel()
    history = await run(platform, "history", report["id"], "--json")
    reasons = [record["why"] for record in history["records"]]
    (end,) = [why for why in reasons if f"had {DRAIN_SECONDS} s" in why]
    assert "1 stragglers (1: HTTP answers that have not ended)" in end
    assert f"{CLIENTS} were closed, because they could not be moved" in end
    assert f"({CLIENTS}: the new program refused them)" in end
