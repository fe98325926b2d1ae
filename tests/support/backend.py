"""A real backend process, and raw WebSocket clients to it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.valkey import find_free_port

ADMIN_TOKEN = "admin-token-of-the-tests"
TICKET_SECRET = "ticket-secret-of-the-tests-32-bytes-long"
UNLIMITED = {
    f"ISSHONI_{rate}_{part}": "1000000000"
    for rate in ("CHAT", "REQUESTS", "CANVAS_FRAMES", "CANVAS_FRAME_BYTES")
    for part in ("PER_SECOND", "BURST")
}
"""A process of the tests lets everybody send as fast as they can, unless it is told."""


class BackendProcess:
    """One `python -m isshoni.backend` on free ports."""

    def __init__(
        self,
        redis_url: str,
        log_file: Path,
        colour: str = "blue",
        *,
        program: Path | None = None,
        **extra: str,
    ) -> None:
        self._command = [str(program)] if program else ["-m", "isshoni.backend"]
        self.port = find_free_port()
        self.admin_port = find_free_port()
        self.colour = colour
        self._log_file = log_file
        self._environment = os.environ | {
            "ISSHONI_COLOUR": colour,
            "ISSHONI_VERSION": "v-test",
            "ISSHONI_PORT": str(self.port),
            "ISSHONI_ADMIN_PORT": str(self.admin_port),
            "ISSHONI_ADMIN_TOKEN": ADMIN_TOKEN,
            "ISSHONI_TICKET_SECRET": TICKET_SECRET,
            "REDIS_URL": redis_url,
            **UNLIMITED,
            **extra,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._has_started = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log_file.read_text()

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable for the next start."""
        self._environment[name] = value

    def start(self) -> None:
        """Start it and wait until it answers (not: until it is ready)."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_until(lambda: self.get("/healthz") == 200)
        except AssertionError:
            if self._has_started or "Address already in use" not in self.log:
                raise
            # Another test's program was quicker: a free port is not reserved.
            self.process.kill()
            self.process.wait()
            self._has_started = True
            self.port, self.admin_port = find_free_port(), find_free_port()
            self._environment |= {
                "ISSHONI_PORT": str(self.port),
                "ISSHONI_ADMIN_PORT": str(self.admin_port),
            }
            self.start()
        self._has_started = True

    def wait_until_ready(self) -> None:
        self.wait_until(lambda: self.get("/readyz") == 200)

    def wait_until(self, condition: Any, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"in vain; the log says:\n{self.log}"
            time.sleep(0.02)

    def get(self, path: str) -> int:
        """Give the status of a GET; 0 when nothing answers."""
        try:
            return httpx.get(self.url + path, timeout=5).status_code
        except httpx.TransportError:
            return 0

    def admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call the admin API with the token."""
        return httpx.request(
            method,
            f"http://127.0.0.1:{self.admin_port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            timeout=5,
        )

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.admin("GET", "/admin/status").json()
        return status

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def connect(self, session_id: str, query: str = "", **options: Any) -> "RawClient":
        """Open a WebSocket and send nothing."""
        url = f"ws://127.0.0.1:{self.port}/ws/{session_id}{query}"
        # No bound on what is unread: closing would wait for room to read the answer.
        options = {"compression": None, "proxy": None, "max_queue": None, **options}
        return RawClient(await connect(url, **options), session_id)

    async def join(self, session_id: str, **fields: Any) -> "RawClient":
        """Open a WebSocket and restore."""
        client = await self.connect(session_id)
        await client.restore(**fields)
        return client


class RawClient:
    """A client that knows nothing: it sends what it is told and reads what comes."""

    def __init__(self, connection: ClientConnection, session_id: str) -> None:
        self.connection = connection
        self.session_id = session_id

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message, separators=(",", ":")))

    async def restore(self, **fields: Any) -> dict[str, Any]:
        await self.send(type="restore_session", session_id=self.session_id, **fields)
        return await self.read("session_restored")

    async def chat(self, n: int, text: str = "hello") -> None:
        await self.send(type="chat", n=n, text=text)

    async def next_frame(self) -> Any:
        """Give the next frame: bytes as they are, text as JSON."""
        frame = await self.connection.recv()
        return frame if isinstance(frame, bytes) else json.loads(frame)

    async def read(self, *types: str) -> dict[str, Any]:
        """Read on until a text frame of one of these types comes."""
        while True:
            frame = await self.next_frame()
            if isinstance(frame, dict) and frame["type"] in types:
                return frame

    async def read_binary(self) -> bytes:
        """Read on until a binary frame comes."""
        while True:
            frame = await self.next_frame()
            if isinstance(frame, bytes):
                return frame

    async def close_code(self) -> int:
        """Read on until the connection is closed; gives the code."""
        try:
            while True:
                await self.connection.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "lost without a close frame"
            return closed.rcvd.code

    async def close(self) -> None:
        await self.connection.close()
