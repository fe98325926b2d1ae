"""Apprise against real HTTP servers: one that listens, one that fails, one that hangs."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from isshoni.engine.apprise_notifier import open_notifiers
from isshoni.engine.notifications import Message, NotificationFault

MESSAGE = Message("end", "v2 is live", "v1 → v2 on green", good=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, status: int, *, hangs: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.hangs = hangs
        self.over = threading.Event()
        self.heard: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/hook?token=secret"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.hangs:
            self.server.over.wait(30)
        self.server.heard.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(status: int = 200, *, hangs: bool = False) -> Iterator[_Server]:
    server = _Server(status, hangs=hangs)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.spec("C6")
async def test_a_webhook_is_told() -> None:
    with serve() as server:
        (notifier,) = open_notifiers([server.url], {})
        await notifier.send(MESSAGE)
    assert server.heard[0]["title"] == "v2 is live"
    assert server.heard[0]["message"] == "v1 → v2 on green"
    assert server.heard[0]["type"] == "success"


@pytest.mark.spec("C6")
async def test_a_webhook_that_fails_says_how_without_its_secret() -> None:
    with serve(500) as server:
        (notifier,) = open_notifiers([server.url], {})
        with pytest.raises(NotificationFault, match="500") as fault:
            await notifier.send(MESSAGE)
    assert "secret" not in f"{notifier.name} {fault.value}"


@pytest.mark.spec("C6")
async def test_a_webhook_that_hangs_is_left_behind() -> None:
    with serve(hangs=True) as server:
        (notifier,) = open_notifiers([server.url], {})
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await notifier.send(MESSAGE)
        assert time.monotonic() - began < 2
        with pytest.raises(NotificationFault, match="has not answered"):
            await notifier.send(MESSAGE)


async def test_secrets_come_from_the_environment() -> None:
    with serve() as server:
        (notifier,) = open_notifiers(["${HOOK}"], {"HOOK": server.url})
        await notifier.send(MESSAGE)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [("json://${HOOK}", "HOOK is not set"), ("nonsense://x", "not a notification URL")],
)
async def test_an_unusable_url_says_why_each_time(url: str, why: str) -> None:
    (notifier,) = open_notifiers([url], {})
    with pytest.raises(NotificationFault, match=why):
        await notifier.send(MESSAGE)
