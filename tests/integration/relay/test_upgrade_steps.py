"""Either relay ends between any two steps of an upgrade: what is served, is served once."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from isshoni.relay.core.moves import Timing
from isshoni.relay.doors import Door, FixedDoors
from isshoni.relay.passable_client import PassableClient
from isshoni.relay.relay import Relay
from isshoni.relay.upgrade import giving
from isshoni.relay.upgrade import line as line_module
from isshoni.relay.upgrade.clients import Passing
from isshoni.relay.upgrade.giving import Giving
from isshoni.relay.upgrade.line import Line, LineDamaged, OfferedToken, Token
from isshoni.relay.upgrade.messages import ClientRecord, Clients, Message, RelayRecord
from isshoni.relay.upgrade.taking import CannotTakeOver, Listeners, Taking
from tests.support.relay_process import NumberedClient, connect_clients, run_echo, talk
from tests.support.waiting import wait_until

CLIENTS = 5
STEPS = 24
"""More than either relay takes."""


class Died(BaseException):
    """The process has ended at this step."""


class Steps:
    """Counts the steps of one relay, and ends it at one of them."""

    def __init__(self, last: int | None) -> None:
        self._left = last

    def step(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Died


class MortalLine(Line):
    """A line whose relay may end before each message that it sends or has received."""

    def __init__(self, connected: socket.socket, steps: Steps) -> None:
        super().__init__(connected)
        self._steps = steps

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        self._steps.step()
        await super().send(message, descriptors)
        self._steps.step()

    async def receive(self) -> tuple[Message, list[int]]:
        message, descriptors = await super().receive()
        try:
            self._steps.step()
        except Died:
            for one in descriptors:
                os.close(one)
            raise
        return message, descriptors


class Side:
    """One relay with a door, in this process."""

    def __init__(self, program_port: int) -> None:
        door = Door(programs=(("127.0.0.1", program_port),))
        self.relay = Relay(FixedDoors({"blue": door, "green": door}), Timing())
        self.door: socket.socket | None = None
        self.servers: list[asyncio.Server] = []
        self.ticking = asyncio.create_task(self.relay.tick())

    async def listen(self) -> None:
        assert self.door is not None
        accept = lambda: self.relay.accept("blue")  # noqa: E731
        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(accept, sock=self.door.dup()))

    async def stop_listening(self) -> None:
        for server in self.servers:
            server.close()
        self.servers.clear()

    def listeners(self) -> list[tuple[str, int, int]]:
        assert self.door is not None
        return [("blue", self.door.fileno(), self.door.fileno())]

    def record(self) -> RelayRecord:
        return RelayRecord({}, 0.0, {})

    def record_attempt(self, client: PassableClient) -> tuple[float, int]:
        return (0.0, 0)

    async def open_doors(self, listeners: Listeners, record: RelayRecord) -> None:
        self.door, admin = listeners["blue"]
        admin.close()
        await self.listen()

    def restore_attempt(self, client: PassableClient, deadline: float, tries: int) -> None:
        pass

    async def die(self, line: Line) -> None:
        """Close everything, as the kernel does for a process that ended."""
        line.close()
        self.ticking.cancel()
        await self.stop_listening()
        for client in self.relay.sockets():
            if client._transport is not None:
                client._transport.abort()
            if client.program is not None:
                client.program.abort()
        if self.door is not None:
            self.door.close()


@pytest.fixture
def passings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Passing]]:
    """Return all clients that were on their way; batches are small, and waits are short."""
    found: list[Passing] = []
    begin = Passing.begin

    def record(relay: Relay, client: PassableClient, its: ClientRecord) -> Passing:
        found.append(begin(relay, client, its))
        return found[-1]

    monkeypatch.setattr(Passing, "begin", record)
    monkeypatch.setattr(giving, "BATCH", 2)
    monkeypatch.setattr(giving, "LATE_SECONDS", 0.1)
    yield found
    for one in found:
        with contextlib.suppress(OSError):
            one.close()


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[tuple[Side, Side, list[NumberedClient]]]:
    """Run two relays, of which the first one serves clients that talk all the time."""
    async with run_echo() as port:
        old, new = Side(port), Side(port)
        old.door = socket.create_server(("127.0.0.1", 0))
        old.door.setblocking(False)
        await old.listen()
        async with connect_clients(old.door.getsockname()[1], CLIENTS) as clients:
            talking = asyncio.create_task(talk(clients, 0.0005))
            yield old, new, clients
            talking.cancel()
            await _wait_until_settled(clients)
            for client in clients:
                # Nothing came twice, and in order; a client that lives lacks nothing.
                assert client.got == list(range(len(client.got)))
                assert client.closed_with is not None or client.is_whole
        for side in (old, new):
            await side.die(Line(socket.socket()))


async def _wait_until_settled(clients: list[NumberedClient]) -> None:
    await wait_until(
        lambda: all(c.closed_with is not None or len(c.got) >= c.sent for c in clients),
        "every client has everything, or was cut",
    )


def _alive(clients: list[NumberedClient]) -> int:
    return sum(client.closed_with is None for client in clients)


async def _upgrade(
    old: Side, new: Side, old_steps: Steps, new_steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> tuple[bool | str, bool | str]:
    """Run both parts of an upgrade; return what became of each relay."""
    near, far = socket.socketpair()
    lines = MortalLine(near, old_steps), MortalLine(far, new_steps)
    claim = Token.claim

    def claim_and_step(token: Token) -> bool:
        claimed = claim(token)
        (old_steps if isinstance(token, OfferedToken) else new_steps).step()
        return claimed

    monkeypatch.setattr(Token, "claim", claim_and_step)

    async def give() -> bool | str:
        try:
            return await Giving(old.relay, lines[0], old).give()
        except Died:
            await old.die(lines[0])
            return "died"

    async def take() -> bool | str:
        taking = Taking(new.relay, lines[1], new)
        try:
            if not await taking.take():
                return False
            await taking.take_late_ones()
            return True
        except CannotTakeOver:
            await new.die(lines[1])
            return "cannot take over"
        except Died:
            await new.die(lines[1])
            return "died"

    gave, took = await asyncio.wait_for(asyncio.gather(give(), take()), 30)
    return gave, took


async def test_an_upgrade_without_a_fault_passes_everything_on(
    passings: list[Passing], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as (old, new, clients):
        assert await _upgrade(old, new, Steps(None), Steps(None), monkeypatch) == (True, True)
        assert not old.relay.sockets()
        assert len(new.relay.clients_of("blue")) == CLIENTS
        assert _alive(clients) == CLIENTS


@pytest.mark.parametrize("step", range(STEPS))
async def test_a_new_relay_that_ends_costs_only_what_it_had_taken(
    step: int, passings: list[Passing], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as (old, new, clients):
        gave, _ = await _upgrade(old, new, Steps(None), Steps(step), monkeypatch)
        if not gave:
            assert not old.relay.moves_paused
            await wait_until(
                lambda: len(old.relay.clients_of("blue")) == _alive(clients),
                "the old relay serves those that were not taken",
            )
            async with connect_clients(_port(old), 1) as more:
                await more[0].send()
                await _wait_until_settled(more)
                assert more[0].is_whole
            claimed = CLIENTS - _alive(clients)
            assert claimed in {0, 2, 4, CLIENTS}
        if step < 4:
            assert gave is False
            assert _alive(clients) == CLIENTS


@pytest.mark.parametrize("step", range(STEPS))
async def test_a_new_relay_serves_what_one_that_ended_had_sent_it(
    step: int, passings: list[Passing], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as (old, new, clients):
        gave, took = await _upgrade(old, new, Steps(step), Steps(None), monkeypatch)
        for one in passings:
            if gave == "died":
                one.close()
        assert took in {True, False}
        if took:
            await wait_until(
                lambda: len(new.relay.clients_of("blue")) == _alive(clients),
                "the new relay serves what it was sent",
            )


@pytest.mark.parametrize("fault", ["damaged", "unsaved", "no files"])
async def test_what_cannot_be_passed_on_is_served_as_before(
    fault: str, passings: list[Passing], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as (old, new, clients):
        if fault == "damaged":
            receive = Line.receive

            async def damage(line: Line) -> tuple[Message, list[int]]:
                message, descriptors = await receive(line)
                if isinstance(message, Clients):
                    line_module.close_all(descriptors)
                    raise LineDamaged("a socket is missing")
                return message, descriptors

            monkeypatch.setattr(Line, "receive", damage)
        elif fault == "unsaved":
            old.relay.clients_of("blue")[3].key = object()
        else:
            monkeypatch.setattr(giving, "BATCH", 100_000)
            monkeypatch.setattr(os, "dup", _refuse_dup)
        gave, took = await _upgrade(old, new, Steps(None), Steps(None), monkeypatch)
        assert (gave, took) == (False, "cannot take over")
        assert old.relay.moves_paused is False
        assert len(old.servers) == 1
        assert len(old.relay.clients_of("blue")) == CLIENTS
        assert _alive(clients) == CLIENTS


def _refuse_dup(descriptor: int) -> int:
    raise OSError(24, "Too many open files")


def _port(side: Side) -> int:
    assert side.door is not None
    port: int = side.door.getsockname()[1]
    return port
