"""Stock clients of applications that are not Isshoni's: what they convict, and what not."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.asyncio.server import broadcast as send_to_all

from isshoni.verify.clock import RunClock
from isshoni.verify.ports import COMMAND_PHASE, DeployReport, PhaseSpan
from isshoni.verify.reach import FIRST_SECONDS, CannotConnect
from isshoni.verify.result import Result
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.stock import load, npm_folder
from isshoni.verify.stock.run import make_command, verify_stock
from isshoni.verify.stock.settings import Kind, StockSettings
from isshoni.verify.stock.trial import NothingCameBack, Unclear
from isshoni.verify.users import Habits
from tests.support.breaking_proxy import Break, breaking_proxy
from tests.support.foreign_clients import FRONTEND, has_y_websocket
from tests.support.valkey import ValkeyServer, find_free_port

ROOT = Path(__file__).parents[3]
NODE = pytest.mark.skipif(not has_y_websocket(), reason="NOT RUN: node or npm packages missing")
SETTINGS = RunSettings(
    clients=6,
    sessions=2,
    full_clients=6,
    talk_seconds=1.5,
    quiet_seconds=0.3,
    warm_up_seconds=0.1,
    habits=Habits(messages_per_second=4.0, edits_per_second=0.0),
)
Chat = Callable[[ServerConnection, set[ServerConnection]], Awaitable[None]]


@pytest.fixture
def our_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(npm_folder.MODULES_VARIABLE, str(FRONTEND / "node_modules"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


async def run(stock: StockSettings, settings: RunSettings = SETTINGS) -> Result:
    """Run stock clients of the default settings."""
    return await verify_stock(stock, settings, make_command(stock.kind))


async def broadcast(member: ServerConnection, room: set[ServerConnection]) -> None:
    async for message in member:
        # Not one after another: a member that is just being closed must not end this one's handler.
        send_to_all(room, message)


@asynccontextmanager
async def chat(talk: Chat = broadcast) -> AsyncIterator[str]:
    """Run a chat with a room for each path; yields its address."""
    rooms: dict[str, set[ServerConnection]] = {}

    async def handle(member: ServerConnection) -> None:
        assert member.request is not None
        room = rooms.setdefault(member.request.path, set())
        room.add(member)
        try:
            await talk(member, room)
        finally:
            room.discard(member)

    async with serve(handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def faults(result: Result) -> tuple[int, int, int]:
    """Return the messages lost, doubled and reordered."""
    return result.messages.lost, result.messages.doubled, result.messages.reordered


EXPECTED = {
    Break.NOTHING: (0, 0, 0),
    Break.DROP: (1, 0, 0),
    Break.DOUBLE: (0, 1, 0),
    Break.SWAP: (0, 0, 1),
}


@pytest.mark.parametrize("what", Break)
async def test_a_proxy_that_breaks_one_message_is_convicted_and_a_good_one_is_not(
    what: Break,
) -> None:
    # One sender, so that the two messages that change places are of the same one.
    settings = RunSettings(
        clients=1,
        sessions=1,
        talk_seconds=1.5,
        quiet_seconds=0.3,
        warm_up_seconds=0.1,
        habits=Habits(messages_per_second=8.0, edits_per_second=0.0),
    )
    async with chat() as address, breaking_proxy(address, what, after=5) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/ws/{{room}}"
        result = await run(StockSettings(Kind.PLAIN, url, after_seconds=0.3), settings)
    assert faults(result) == EXPECTED[what]
    assert result.sla.met == (what is Break.NOTHING)
    assert proxy.broke == (what is not Break.NOTHING)
    assert result.stock is not None and result.stock.closes == 0


@NODE
@pytest.mark.usefixtures("our_modules")
@pytest.mark.parametrize("what", [Break.NOTHING, Break.DROP, Break.DOUBLE])
async def test_socket_io_clients_convict_a_proxy_that_breaks_one_packet(what: Break) -> None:
    async with (
        node_server("socket.io") as address,
        breaking_proxy(address, what, after=20) as proxy,
    ):
        stock = StockSettings(
            Kind.SOCKET_IO, f"http://127.0.0.1:{proxy.port}", joins=('["join", "{room}"]',)
        )
        result = await run(stock)
    assert faults(result) == EXPECTED[what]
    assert result.stock is not None
    assert result.stock.unanswered is not None
    assert result.stock.reach == "all clients of its room but its sender"


@NODE
@pytest.mark.usefixtures("our_modules")
@pytest.mark.parametrize("what", [Break.NOTHING, Break.DROP])
async def test_yjs_clients_convict_a_proxy_that_drops_one_update(
    what: Break, y_server: str
) -> None:
    async with breaking_proxy(y_server, what) as proxy:
        result = await run(StockSettings(Kind.YJS, f"ws://127.0.0.1:{proxy.port}/ws"))
    assert (result.messages.lost > 0) == (what is Break.DROP)
    assert (result.edits.diverged_sessions > 0) == (what is Break.DROP)
    assert result.sla.met == (what is Break.NOTHING)
    assert result.messages.delivered > 0


@pytest.fixture(scope="module")
def y_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    redis = ValkeyServer(tmp_path_factory.mktemp("y-redis"), fsync="no")
    redis.start()
    port = find_free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.support.yjs_server:app"]
    command += ["--port", str(port), "--log-level", "warning"]
    environment = os.environ | {"REDIS_URL": redis.url, "COLOUR": "blue"}
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/")
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield f"ws://127.0.0.1:{port}"
    process.kill()
    process.wait()
    redis.kill()


@asynccontextmanager
async def node_server(kind: str) -> AsyncIterator[str]:
    """Run a chat of Node.js; yields its address."""
    port = find_free_port()
    process = await asyncio.create_subprocess_exec(
        "node", "compat/room-server.mjs", kind, str(port), cwd=FRONTEND
    )
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def reply_and_broadcast(member: ServerConnection, room: set[ServerConnection]) -> None:
    async for message in member:
        await member.send(f"You wrote: {message!s}")
        for one in list(room):
            await one.send(f'{{"from": {id(member)}, "text": "{message!s}"}}')


async def test_replies_beside_the_broadcast_are_no_doubles() -> None:
    async with chat(reply_and_broadcast) as address:
        result = await run(StockSettings(Kind.PLAIN, address + "/{room}"))
    assert faults(result) == (0, 0, 0)
    assert result.sla.met
    assert result.stock is not None and "You wrote: …" in result.stock.judged


async def swallow(member: ServerConnection, room: set[ServerConnection]) -> None:
    async for _ in member:
        await member.send('{"error": "unknown type"}')


async def test_an_application_that_sends_nothing_back_is_refused_with_what_it_sent() -> None:
    async with chat(swallow) as address:
        stock = StockSettings(Kind.PLAIN, address + "/{room}", trial_seconds=0.6, after_seconds=0.3)
        with pytest.raises(NothingCameBack, match=r'example .*"error": "unknown type"') as fault:
            await run(stock)
    assert address in str(fault.value)


async def deliver_to_one(member: ServerConnection, room: set[ServerConnection]) -> None:
    async for message in member:
        await next(one for one in room if one is not member).send(message)


async def test_an_application_that_reaches_some_of_a_room_is_refused() -> None:
    async with chat(deliver_to_one) as address:
        stock = StockSettings(Kind.PLAIN, address + "/{room}", trial_seconds=0.6, after_seconds=0.3)
        with pytest.raises(Unclear, match="reached 1 of the 3 clients"):
            await run(stock)


async def test_rooms_that_the_application_does_not_keep_apart_are_refused() -> None:
    everywhere: set[ServerConnection] = set()

    async def shout(member: ServerConnection, room: set[ServerConnection]) -> None:
        everywhere.add(member)
        await broadcast(member, everywhere)

    async with chat(shout) as address:
        with pytest.raises(InvalidRun, match="use --sessions 1"):
            await run(StockSettings(Kind.PLAIN, address + "/{room}"))


@pytest.mark.usefixtures("our_modules")
@pytest.mark.parametrize("kind", [Kind.PLAIN, pytest.param(Kind.SOCKET_IO, marks=NODE)])
async def test_the_time_to_connect_begins_when_the_clients_do(kind: Kind) -> None:
    """On a busy machine a client's process needs longer to start than a connection may take."""
    seconds = FIRST_SECONDS + 1
    late = ["sh", "-c", f'sleep {seconds}; exec "$@"', "late", *make_command(kind)]
    plain = kind is Kind.PLAIN
    async with chat() if plain else node_server("socket.io") as address:
        stock = StockSettings(
            kind,
            f"{address}/{{room}}" if plain else address,
            joins=() if plain else ('["join", "{room}"]',),
        )
        clients = load.StockLoad(stock, SETTINGS, RunClock(), late)
        try:
            await clients.connect()
            assert clients.count().connected == SETTINGS.clients
        finally:
            await clients.leave()


async def test_an_address_where_nothing_listens_is_refused_with_the_reason() -> None:
    url = f"ws://127.0.0.1:{find_free_port()}/ws"
    with pytest.raises(CannotConnect, match=r"could connect to ws://.*connection refused"):
        await run(StockSettings(Kind.PLAIN, url))


class Restart:
    """Closes every connection as a restart does, and makes clients wait for a moment."""

    def __init__(self) -> None:
        self.members: set[ServerConnection] = set()
        self.sent = 0

    async def talk(self, member: ServerConnection, room: set[ServerConnection]) -> None:
        """Serve a chat."""
        self.members.add(member)
        await broadcast(member, room)

    async def deploy(self, version: str) -> DeployReport:
        """Close all connections."""
        began = asyncio.get_running_loop().time()
        for member in list(self.members):
            await member.close(1012, "restart")
        return DeployReport("exit code 0", phases=(PhaseSpan(COMMAND_PHASE, began, began),))


async def test_a_restart_is_seen_as_closes_reconnects_and_gaps() -> None:
    restart = Restart()
    async with chat(restart.talk) as address:
        stock = StockSettings(Kind.PLAIN, address + "/{room}")
        result = await verify_stock(
            stock,
            SETTINGS,
            make_command(Kind.PLAIN),
            deploys=[PlannedDeploy("./restart", "exit code 0")],
            runner=restart,
        )
    assert result.stock is not None
    assert result.stock.closes_by_code == {"1012": 6}
    assert result.stock.reconnects == 6
    assert result.gap_ms.clients_cut == 6
    assert result.gap_ms.max > 0
    assert [deploy.outcome for deploy in result.deploys] == ["exit code 0"]
