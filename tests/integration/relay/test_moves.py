"""Stock clients of an unmodified chat are moved to another process of it, and back."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import websockets

from isshoni.relay.core.handshake import MAX_HEAD_BYTES
from isshoni.relay.core.moves import Failure
from tests.integration.relay.conftest import Doors, Programs
from tests.support.waiting import wait_until

ROOMS, IN_ROOM = 4, 5


class Member:
    """A stock client that sends numbered messages and keeps what it gets."""

    def __init__(self, name: str, room: str, socket: websockets.ClientConnection) -> None:
        self.name, self.room = name, room
        self.socket = socket
        self.sent: list[str] = []
        self.got: list[str] = []
        self.ended_with: int | None = None
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in self.socket:
                self.got.append(str(message))
        self.ended_with = self.socket.close_code

    async def send(self) -> None:
        """Send the next message."""
        text = f"{self.name}:{len(self.sent)}"
        self.sent.append(text)
        await self.socket.send(text)

    async def leave(self) -> None:
        """Close, and wait until everything was read."""
        await self.socket.close()
        await self._reading


@contextlib.asynccontextmanager
async def crowd(port: int, kind: type[Member] = Member) -> AsyncIterator[list[Member]]:
    """Open clients in some rooms."""
    members = []
    for n in range(ROOMS * IN_ROOM):
        room = f"r{n % ROOMS}"
        socket = await websockets.connect(f"ws://127.0.0.1:{port}/ws/{room}", max_size=None)
        members.append(kind(f"m{n}", room, socket))
    yield members
    for member in members:
        await member.leave()


def expected(members: list[Member], room: str) -> list[str]:
    """Return every message that the members of a room have sent."""
    return [text for member in members if member.room == room for text in member.sent]


def assert_each_got_everything_once(members: list[Member]) -> None:
    """Fail if a message is lost, doubled, or came out of its author's order."""
    for member in members:
        assert member.ended_with is None
        assert Counter(member.got) == Counter(expected(members, member.room))
        for author in members:
            if author.room == member.room:
                assert [t for t in member.got if t.split(":")[0] == author.name] == author.sent


async def talk(members: list[Member], rounds: int) -> None:
    """Let each member send a message now and then."""
    for _ in range(rounds):
        for member in members:
            await member.send()
            await asyncio.sleep(0.005)


async def move_all(doors: Doors, away: str, to: str) -> list[Failure | None]:
    """Move every client of a colour."""
    clients = doors.relay.clients_of(away)
    for client in clients:
        doors.relay.arm(client)
    await asyncio.sleep(0.3)
    return list(await asyncio.gather(*(doors.relay.move(client, to) for client in clients)))


async def move_all_in_time(doors: Doors, away: str, to: str) -> None:
    """Move every client of a colour; those that found no quiet moment are tried again.

    So are those whose program did not answer in time: on a busy machine.
    """
    transient = {None, Failure.NEVER_QUIET, Failure.UNREACHABLE, Failure.JOIN}
    for _ in range(8):
        outcome = set(await move_all(doors, away, to))
        assert outcome <= transient
        if not doors.relay.clients_of(away):
            return
    raise AssertionError(f"not all clients moved: {outcome}")


async def test_clients_are_moved_there_and_back_and_nothing_is_lost_or_doubled(
    doors: Doors,
) -> None:
    async with crowd(doors.ports["blue"]) as members:
        talking = asyncio.create_task(talk(members, 25))
        await asyncio.sleep(0.5)
        assert await move_all(doors, "blue", "green") == [None] * len(members)
        assert not doors.relay.clients_of("blue")
        assert await move_all(doors, "green", "blue") == [None] * len(members)
        await talking
        await wait_until(
            lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
            "every client has every message",
        )
        assert_each_got_everything_once(members)
    assert sum(c.moved for c in doors.relay.counters.values()) == 2 * len(members)


async def test_a_frozen_program_holds_up_its_moves_and_loses_nothing(
    doors: Doors, programs: Programs
) -> None:
    async with crowd(doors.ports["blue"]) as members:
        talking = asyncio.create_task(talk(members, 20))
        moving = asyncio.create_task(move_all(doors, "blue", "green"))
        await asyncio.sleep(0.35)
        programs.stop("blue")
        await asyncio.sleep(0.5)
        programs.resume("blue")
        await talking
        await moving
        await wait_until(
            lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
            "every client has every message",
        )
        assert_each_got_everything_once(members)


async def test_a_candidate_that_dies_leaves_the_clients_where_they_are(
    doors: Doors, programs: Programs
) -> None:
    async with crowd(doors.ports["blue"]) as members:
        programs.kill("green")
        outcome = await move_all(doors, "blue", "green")
        assert outcome == [Failure.UNREACHABLE] * len(members)
        await talk(members, 2)
        await wait_until(
            lambda: all(len(m.got) >= len(expected(members, m.room)) for m in members),
            "every client has every message",
        )
        assert_each_got_everything_once(members)
    assert doors.relay.count("blue").failures == {Failure.UNREACHABLE: len(members)}


async def test_a_program_that_dies_ends_its_clients(doors: Doors, programs: Programs) -> None:
    async with crowd(doors.ports["blue"]) as members:
        programs.kill("blue")
        await wait_until(
            lambda: all(m.ended_with is not None for m in members), "every client is cut"
        )
    assert {m.ended_with for m in members} == {1006}


async def test_large_fragmented_messages_pass_while_a_client_moves(doors: Doors) -> None:
    port = doors.ports["blue"]
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws/large", max_size=None) as socket:
        texts = [f"{n}:" + "x" * 1_000_000 for n in range(8)]

        async def send() -> None:
            for text in texts:
                await socket.send([text[:10], text[10:600_000], text[600_000:]])
                await asyncio.sleep(0.15)

        sending = asyncio.create_task(send())
        outcome = await move_all(doors, "blue", "green")
        got = [await asyncio.wait_for(socket.recv(), 30) for _ in texts]
        await sending
        assert outcome == [None]
        assert got == texts


async def test_the_subprotocol_and_the_refusals_of_a_program_are_passed_on(doors: Doors) -> None:
    url = f"ws://127.0.0.1:{doors.ports['blue']}"
    async with websockets.connect(
        f"{url}/ws/a", subprotocols=[websockets.Subprotocol("chat")]
    ) as s:
        assert s.subprotocol == "chat"
        assert await move_all(doors, "blue", "green") == [None]
    refusal = None
    try:
        await websockets.connect(f"{url}/nowhere")
    except websockets.InvalidStatus as fault:
        refusal = fault.response.status_code
    assert refusal == 403
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{doors.ports['green']}/")
    assert answer.json() == "green"


async def test_a_handshake_that_is_none_or_too_long_is_answered(doors: Doors) -> None:
    async def ask(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.ports["blue"])
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer.split(b"\r\n")[0]

    assert await ask(b"nonsense\r\n\r\n") == b"HTTP/1.1 400 Bad Request"
    long = b"GET / HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD_BYTES + 10)
    assert await ask(long) == b"HTTP/1.1 431 Request Header Fields Too Large"


async def test_a_program_that_cannot_be_reached_is_502(doors: Doors, programs: Programs) -> None:
    programs.processes["green"].send_signal(signal.SIGKILL)
    programs.processes["green"].wait()
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{doors.ports['green']}/")
    assert answer.status_code == 502
    assert "green cannot be reached" in answer.text
