"""Cheap clients for a restore storm: raw sockets, many in one process.

    python -m benchmarks.support.storm_clients ADDRESS PORT FIRST COUNT SESSIONS KIND

Reads commands from its standard input, one a line, and answers each with a line of JSON:
`cut` drops every socket at once, `one` that of one client, which comes back without a pause;
`expect` begins a new record, `report` returns it.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from isshoni.session.backoff import Backoff, BackoffPolicy

EMPTY_STEP1 = b"\x00\x00\x01\x00"
"""y-websocket's step 1 of an empty document: the answer is the whole canvas."""
_STOCK_POLICY = BackoffPolicy(
    first_seconds=0.1, prompt_seconds=0.1, longest_seconds=2.5, stable_seconds=0.0
)
RESTORE_TIMEOUT_SECONDS = 5.0
"""As the Python client: from the request on, without the time that it is asked to wait."""


@dataclass
class Times:
    """What happened to one client since the last `expect`."""

    lost_at: float | None = None
    open_at: float | None = None
    asked_at: float | None = None
    restored_at: float | None = None
    asked_to_wait: int = 0
    timed_out: int = 0
    attempts: int = 0
    closes: list[int] = field(default_factory=list)


@dataclass
class Crowd:
    """What the clients of this process share."""

    host: str
    port: int
    kind: str
    name: str = "storm"
    states: dict[str, bytes] = field(default_factory=dict)


class Client:
    """One client that comes back after each loss, as the real clients do."""

    def __init__(self, crowd: Crowd, number: int, session_id: str, stock: bool) -> None:
        self.crowd, self.number, self.session_id, self.stock = crowd, number, session_id, stock
        self.restored = False
        self.position: Any = None
        self.generation = 0
        self._socket: Socket | None = None
        self._opening: asyncio.Future[None] | None = None
        self._left = self._at_once = False
        self.begin_record()

    def connect_later(self, *, prompt: bool = False) -> None:
        """Connect after the delay of the backoff."""
        delay = self._backoff.next_delay_seconds(time.monotonic(), prompt=prompt)
        asyncio.get_running_loop().call_later(delay, self.connect)

    def connect(self) -> None:
        """Open a socket now."""
        self.times.attempts += 1
        self.generation += 1
        self._socket = Socket(self)
        self._opening = asyncio.ensure_future(self._open(self._socket))

    async def _open(self, socket: "Socket") -> None:
        try:
            async with asyncio.timeout(RESTORE_TIMEOUT_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: socket, self.crowd.host, self.crowd.port
                )
        except (OSError, TimeoutError):
            socket.lost(1006)

    def cut(self, *, at_once: bool = False) -> None:
        """Drop the socket, as a network that goes away does; come back later or at once."""
        self._at_once = at_once
        if self._socket is not None:
            self._socket.abort()
        self._at_once = False

    def begin_record(self) -> None:
        """Forget what happened, as if the client had been connected for long."""
        self.times = Times()
        self._backoff = Backoff(_STOCK_POLICY if self.stock else BackoffPolicy(), random.random)

    def leave(self) -> None:
        """End for good."""
        self._left = True
        self.cut()

    def on_lost(self, code: int) -> None:
        """Record the loss, and come back."""
        if self.restored:
            self.times.lost_at = time.monotonic()
        self.restored = False
        self.times.closes.append(code)
        if self._at_once:
            self.connect()
        elif not self._left:
            self.connect_later(prompt=code in (1012, 4000))

    def on_restored(self) -> None:
        """Record that the session is restored."""
        self.restored = True
        self.times.restored_at = time.monotonic()
        self._backoff.restored(time.monotonic())


class Socket(asyncio.Protocol):
    """One WebSocket; a mask of zeros leaves the payload as it is."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._buffer = bytearray()
        self._open = self._ended = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses
        if self._ended:  # cut before it was open
            self._transport.abort()
            return
        self._set_timer(RESTORE_TIMEOUT_SECONDS, self._time_out)
        self._transport.write(
            f"GET /ws/{self._client.session_id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.abort()
                return
            del self._buffer[: end + 4]
            self._open = True
            self._on_open()
        self._read_frames()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(1006)

    def lost(self, code: int) -> None:
        """Report the end, once."""
        if self._ended:
            return
        self._ended = True
        self._cancel_timer()
        self._client.on_lost(code)

    def abort(self) -> None:
        """Drop the socket without a close frame."""
        if self._transport is not None:
            self._transport.abort()
        self.lost(1006)

    def ask(self) -> None:
        """Ask for the restore, or as a stock client for the canvas."""
        client = self._client
        if self._ended:
            return
        if client.times.asked_at is None:
            client.times.asked_at = time.monotonic()
        if client.stock:
            self._send(0x82, client.crowd.states.get(client.session_id, EMPTY_STEP1))
            return
        request: dict[str, Any] = {
            "type": "restore_session",
            "session_id": client.session_id,
            "client_id": f"c{client.number}",
            "generation": client.generation,
            "can": ["migrate", "replica"]
            if client.crowd.kind == "json"
            else ["migrate", "canvas", "replica"],
        }
        if client.crowd.kind == "returning" and client.position is not None:
            request["position"] = client.position
        self._send(0x81, json.dumps(request, separators=(",", ":")).encode())
        self._set_timer(RESTORE_TIMEOUT_SECONDS, self._time_out)

    def _on_open(self) -> None:
        if self._client.times.open_at is None:
            self._client.times.open_at = time.monotonic()
        self.ask()

    def _time_out(self) -> None:
        self._client.times.timed_out += 1
        self.abort()

    def _read_frames(self) -> None:
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if len(buffer) - at < head + size:
                break
            self._on_frame(buffer[at] & 0x0F, buffer, at + head, at + head + size)
            at += head + size
            if self._ended:
                return
        del buffer[:at]

    def _on_frame(self, opcode: int, buffer: bytearray, start: int, end: int) -> None:
        if opcode == 9:
            self._send(0x8A, bytes(buffer[start:end]))
        elif opcode == 8:
            self._on_close(int.from_bytes(buffer[start : start + 2], "big"))
        elif opcode == 2 and self._client.stock and buffer[start : start + 2] == b"\x00\x01":
            self._on_restored()
        elif (
            opcode == 1
            and buffer[start + 9 : start + 10] == b"s"
            and buffer[start + 10] == ord("e")
        ):
            self._on_session_restored(bytes(buffer[start:end]))
        elif opcode == 1 and buffer[start + 9 : start + 10] == b"e":
            self._on_error(json.loads(bytes(buffer[start:end])))

    def _on_session_restored(self, frame: bytes) -> None:
        if not frame.startswith(b'{"type":"session_restored"'):
            return
        marks = frame.index(b'"position":')
        self._client.position = json.JSONDecoder().raw_decode(
            frame[marks + 11 : marks + 120].decode(errors="ignore")
        )[0]
        if self._client.crowd.kind != "json":
            self._send(0x82, self._client.crowd.states.get(self._client.session_id, EMPTY_STEP1))
        self._on_restored()

    def _on_restored(self) -> None:
        self._cancel_timer()
        if not self._client.restored:
            self._client.on_restored()

    def _on_error(self, error: dict[str, Any]) -> None:
        if error.get("code") != "not_ready":
            return
        self._client.times.asked_to_wait += 1
        # A client of a version before asks again after 0 to 0.2 s.
        pause = error.get("retry_after_ms", random.random() * 200) / 1000
        if "retry_after_ms" in error:
            self._cancel_timer()
            asyncio.get_running_loop().call_later(pause, self.ask)
        else:
            asyncio.get_running_loop().call_later(pause, self._ask_again)

    def _ask_again(self) -> None:
        deadline, self._timer = self._timer, None
        self.ask()
        self._cancel_timer()
        self._timer = deadline  # a client of a version before counts from its first request

    def _on_close(self, code: int) -> None:
        if self._transport is not None:
            self._transport.close()
        self.lost(code)

    def _send(self, head: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        elif size < 65536:
            length = b"\xfe" + size.to_bytes(2, "big")
        else:
            length = b"\xff" + size.to_bytes(8, "big")
        if self._transport is not None:
            self._transport.write(bytes([head]) + length + b"\0\0\0\0" + payload)

    def _set_timer(self, seconds: float, then: Any) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_clients(
    crowd: Crowd, first: int, count: int, sessions: int, stock_pct: int
) -> list[Client]:
    """Make the clients, spread over the sessions; every n-th is a stock one."""
    return [
        Client(crowd, number, f"{crowd.name}-{number % sessions}", (number * 37) % 100 < stock_pct)
        for number in range(first, first + count)
    ]


async def serve(clients: list[Client]) -> None:
    """Connect at a bounded pace, then obey the commands."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    numbers = itertools.count()
    while command := (await reader.readline()).decode().split():
        if command[0] == "join":
            for client in clients:
                client.connect()
                await asyncio.sleep(float(command[1]))
        elif command[0] == "cut":
            for client in clients:
                client.cut()
        elif command[0] == "one":
            clients[next(numbers) % len(clients)].cut(at_once=True)
        elif command[0] == "expect":
            for client in clients:
                client.begin_record()
        elif command[0] == "state":
            for client in clients:
                client.crowd.states[client.session_id] = bytes.fromhex(command[1])
        answer: Any = {"restored": sum(c.restored for c in clients), "cpu": time.process_time()}
        if command[0] == "report":
            answer["clients"] = [
                vars(c.times) | {"stock": c.stock, "restored": c.restored} for c in clients
            ]
        print(json.dumps(answer), flush=True)


def main(words: list[str]) -> None:
    """Run the clients until standard input ends."""
    host, port, first, count, sessions, kind, stock_pct = words
    crowd = Crowd(host, int(port), kind)
    uvloop.run(serve(make_clients(crowd, int(first), int(count), int(sessions), int(stock_pct))))


if __name__ == "__main__":
    main(sys.argv[1:])
