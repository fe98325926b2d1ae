"""Engine.IO 4 and Socket.IO 5 are the same through the relay, and with a move in the middle.

The cases are those of the protocols' public test suites (socketio/engine.io-protocol and
socketio/socket.io-protocol, MIT), which were read for what they try; they are written here.
"""

import asyncio
import re
import subprocess

import httpx
import pytest
import websockets

from isshoni.relay.core.profiles.names import SOCKET_IO
from tests.integration.relay.conftest import Doors, run_programs, serve_relay
from tests.integration.relay.foreign_clients import has_package
from tests.support.foreign_clients import FRONTEND
from tests.support.waiting import wait_until

ENDPOINT = "/socket.io/?EIO=4&transport="
_SID = re.compile(r'"sid":"[^"]*"')
_PLACES = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
CLOSED = "closed"
Sent = str | bytes

NODE = pytest.mark.skipif(
    not has_package("socket.io"), reason="NOT RUN: no socket.io (npm ci in frontend)"
)

CASES: dict[str, list[Sent]] = {
    "the main namespace": ["40", '42["message",1,"2",{"3":[true]}]'],
    "a namespace with a payload": ['40{"token":"123"}', '42["message","x"]'],
    "a custom namespace": ["40/custom,", '42/custom,["message","x"]'],
    "a custom namespace with a payload": ['40/custom,{"token":"abc"}', '42/custom,["message",1]'],
    "an unknown namespace": ["40/random", "40", '42["message",1]'],
    "two namespaces": ["40", "40/custom,", '42["message",1]', '42/custom,["message",2]'],
    "a namespace that is left": ["40", "40/custom,", "41/custom,", '42["message","main"]'],
    "the main namespace is left": ["40", '42["message",1]', "41", '42["message",2]'],
    "an acknowledgement": ["40", '42456["message-with-ack",1,"2",{"3":[false]}]'],
    "attachments": ["40", f'452-["message",{_PLACES}]', b"\1\2\3", b"\4\5\6"],
    "attachments that are acknowledged": [
        "40",
        f'452-789["message-with-ack",{_PLACES}]',
        b"\1\2\3",
        b"\4\5\6",
    ],
    "attachments, then a text": [
        "40",
        '451-["message",{"_placeholder":true,"num":0}]',
        b"\1",
        '42["message","after"]',
    ],
    "no Engine.IO packet": ["40", "abc"],
    "an unknown packet": ["40", "4abc"],
    "an unknown packet instead of a connect": ["4abc"],
    "a payload that is no array": ["40", "42{}"],
    "an id that is none": ["40", '42abc["message-with-ack",1]'],
    "an attachment that no packet announced": ["40", b"\1\2\3"],
    "the engine is closed": ["40", '42["message",1]', "1"],
}


def start_server(colour: str, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start one process of the server."""
    command = ["node", "compat/protocol-server.mjs", str(port)]
    return subprocess.Popen(command, env=environment, cwd=FRONTEND)


class Talk:
    """One client that sends what a case says, and keeps what it gets without pings."""

    def __init__(self, address: str, number: int, doors: Doors | None) -> None:
        self._url = f"ws://{address}{ENDPOINT}websocket&case={number}"
        self._mark = f"&case={number}"
        self._doors = doors
        self.got: list[Sent] = []

    async def hold(self, sent: list[Sent], wanted: list[Sent] | None) -> list[Sent]:
        """Return what came; with `wanted` no sooner than that, if it comes."""
        async with websockets.connect(self._url, compression=None) as socket:
            reading = asyncio.create_task(self._read(socket))
            half = (len(sent) + 1) // 2
            await self._send(socket, reading, sent[:half])
            if self._doors is not None:
                await self._move(self._doors)
            await self._send(socket, reading, sent[half:])
            await self._settle(reading, wanted)
            await asyncio.wait([reading], timeout=0.2)
            reading.cancel()
        return self.got

    async def _settle(self, reading: "asyncio.Task[None]", wanted: list[Sent] | None) -> None:
        """Wait until everything has come, or without a model until nothing more comes."""
        size, silent = -1, 0
        for _ in range(300):
            if reading.done() or silent >= 10:
                return
            if wanted is not None and len(self.got) >= len(wanted):
                return
            silent = silent + 1 if wanted is None and len(self.got) == size else 0
            size = len(self.got)
            await asyncio.sleep(0.1)

    async def _send(
        self,
        socket: websockets.ClientConnection,
        reading: "asyncio.Task[None]",
        sent: list[Sent],
    ) -> None:
        for one in sent:
            await asyncio.sleep(0.05)
            answers = self._count_answers()
            try:
                await socket.send(one)
            except websockets.ConnectionClosed:
                return
            if isinstance(one, str) and one.startswith("40"):
                # Socket.IO closes a connection that sends an event before its connect is answered.
                await self._wait_for_answer(reading, answers)

    async def _wait_for_answer(self, reading: "asyncio.Task[None]", before: int) -> None:
        await wait_until(
            lambda: self._count_answers() > before or reading.done(), "an answer to a connect"
        )

    def _count_answers(self) -> int:
        """Return how many connects were accepted or refused."""
        return sum(isinstance(one, str) and one.startswith(("40", "44")) for one in self.got)

    async def _read(self, socket: websockets.ClientConnection) -> None:
        try:
            async for message in socket:
                if message == "2":
                    await socket.send("3")
                else:
                    self.got.append(mask_sid(message))
        except websockets.ConnectionClosed:
            pass
        self.got.append(CLOSED)

    async def _move(self, doors: Doors) -> None:
        await asyncio.sleep(0.15)  # so that the greeting has come
        for client in doors.relay.clients_of("blue"):
            if client.handshake is not None and client.handshake.target.endswith(self._mark):
                doors.relay.arm(client)
                await doors.relay.move(client, "green")


def mask_sid(message: str | bytes) -> Sent:
    """Return a packet without the id that differs each time."""
    return _SID.sub('"sid":""', message) if isinstance(message, str) else message


async def hold_all(
    address: str, doors: Doors | None = None, wanted: dict[str, list[Sent]] | None = None
) -> dict[str, list[Sent]]:
    """Run all cases at the same time; return what each client received."""
    found = await asyncio.gather(
        *(
            Talk(address, n, doors).hold(sent, None if wanted is None else wanted[name])
            for n, (name, sent) in enumerate(CASES.items())
        )
    )
    return dict(zip(CASES, found, strict=True))


def find_differences(
    wanted: dict[str, list[Sent]], found: dict[str, list[Sent]]
) -> dict[str, object]:
    """Return what came too much and what is missing, by case."""
    return {
        name: (
            [one for one in found[name] if one not in got],
            [one for one in got if one not in found[name]],
        )
        for name, got in wanted.items()
        if by_namespace(got) != by_namespace(found[name])
    }


def by_namespace(got: list[Sent]) -> list[Sent]:
    """Return packets by their namespace: only within one they have an order."""
    return sorted(got, key=lambda one: isinstance(one, str) and "/custom" in one)


@NODE
async def test_packets_are_the_same_through_the_relay_and_with_a_move_in_the_middle() -> None:
    async with (
        run_programs(start_server, "") as programs,
        serve_relay(programs.ports, SOCKET_IO) as quiet,
        serve_relay(programs.ports, SOCKET_IO) as moving,
    ):
        direct = await hold_all(f"127.0.0.1:{programs.ports['blue']}")
        relayed, moved = await asyncio.gather(
            hold_all(f"127.0.0.1:{quiet.ports['blue']}", None, direct),
            hold_all(f"127.0.0.1:{moving.ports['blue']}", moving, direct),
        )
    assert find_differences(direct, relayed) == {}
    assert find_differences(direct, moved) == {}
    assert sum(counters.moved for counters in moving.relay.counters.values()) > len(CASES) / 2


@NODE
async def test_a_client_that_answers_no_ping_is_closed_through_the_relay_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PING_TIMEOUT", "500")
    async with (
        run_programs(start_server, "") as programs,
        serve_relay(programs.ports, SOCKET_IO) as doors,
    ):
        url = f"ws://127.0.0.1:{doors.ports['blue']}{ENDPOINT}websocket"
        async with websockets.connect(url) as socket:
            await asyncio.wait_for(socket.wait_closed(), 30)


REQUESTS = [
    ("GET", "/socket.io/?EIO=4&transport=polling"),
    ("GET", "/socket.io/?transport=polling"),
    ("GET", "/socket.io/?EIO=abc&transport=polling"),
    ("GET", "/socket.io/?EIO=4"),
    ("GET", "/socket.io/?EIO=4&transport=abc"),
    ("POST", "/socket.io/?EIO=4&transport=polling"),
    ("PUT", "/socket.io/?EIO=4&transport=polling"),
    ("GET", "/socket.io/?EIO=4&transport=polling&sid=unknown"),
    ("GET", "/socket.io/?EIO=4&transport=websocket"),
]


async def ask_all(address: str) -> list[tuple[int, str]]:
    """Return the answers to all requests."""
    found = []
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30.0) as http:
        for method, path in REQUESTS:
            found.append(await http.request(method, path))
        sid = found[0].text.split('"sid":"')[1].split('"')[0]
        found.append(await http.get(f"{ENDPOINT}websocket&sid={sid}"))
    return [(answer.status_code, str(mask_sid(answer.text))) for answer in found]


@NODE
async def test_requests_without_a_body_and_refusals_are_the_same_through_the_relay() -> None:
    async with (
        run_programs(start_server, "") as programs,
        serve_relay(programs.ports, SOCKET_IO) as doors,
    ):
        direct = await ask_all(f"127.0.0.1:{programs.ports['blue']}")
        relayed = await ask_all(f"127.0.0.1:{doors.ports['blue']}")
    assert relayed == direct
