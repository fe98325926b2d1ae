"""What RFC 6455 lets the two ends of a WebSocket do is the same with the relay as without it."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from isshoni.relay.core.moves import Timing
from isshoni.rollout.model import PROFILES
from tests.integration.relay.conformance_cases import CHAPTERS, Cases
from tests.integration.relay.conftest import Doors, serve_relay
from tests.integration.relay.raw_frames import CLOSE, View, close, frame, mask, read_view
from tests.integration.relay.raw_sockets import (
    RawClient,
    RawProgram,
    connect,
    run_echo_programs,
    run_raw_programs,
    send_parts,
)
from tests.support.waiting import wait_until

PAUSE_SECONDS = 0.02
QUICK = Timing(
    dial_seconds=10.0,
    join_seconds=10.0,
    overlap_seconds=0.02,
    quiet_seconds=0.01,
    probe_seconds=0.5,
    patience_seconds=0.3,
    give_up_seconds=1.0,
)
"""A move that cannot succeed fails after a second, so that the test does not wait for it."""
SMALL = [name for name in CHAPTERS if name != "limits"]
READING = [name for name in PROFILES if name not in ("plain", "channels")]
"""The profiles that read every message, or the first ones."""

Between = Callable[[str], "asyncio.Future[object] | None"]


def nothing(path: str) -> None:
    """Do nothing in the middle of a case."""


class Run:
    """All cases at the same time against one port."""

    def __init__(self, port: int, between: Between = nothing) -> None:
        self._port, self._between = port, between

    async def see(self, cases: Cases, wanted: dict[str, View] | None = None) -> dict[str, View]:
        """Return what the client of each case gets, with a close at the end of it.

        The close is sent once the client has what it got without a relay: `wanted`.
        """
        found = await asyncio.gather(
            *(
                self._see(f"/case/{n}", parts, None if wanted is None else wanted[name])
                for n, (name, parts) in enumerate(cases.items())
            )
        )
        return dict(zip(cases, found, strict=True))

    async def _see(self, path: str, parts: list[bytes], wanted: View | None) -> View:
        client = await connect(self._port, path)
        reading = asyncio.create_task(client.read_to_end(60.0))
        half = (len(parts) + 1) // 2
        await send_parts(client, parts[:half], PAUSE_SECONDS)
        moving = self._between(path)
        if moving is not None and int(path.rsplit("/", 1)[1]) % 2:
            await moving  # every other case goes on while the move is under way
        await send_parts(client, parts[half:], PAUSE_SECONDS)
        if moving is not None:
            await moving
        await settle(client, wanted)
        await client.send(close())
        await asyncio.wait([reading], timeout=1.0 if wanted is None else 2.0)
        reading.cancel()
        client.leave()
        return read_view(bytes(client.got))


async def settle(client: RawClient, wanted: View | None) -> None:
    """Wait until the client has everything, or without a model until nothing comes any more."""
    size = -1
    for _ in range(150):
        if client.has_ended or (wanted is None and size == len(client.got)):
            return
        if wanted is not None:
            view = read_view(bytes(client.got))
            if (view.messages, view.pongs) == (wanted.messages, wanted.pongs):
                return
        size = len(client.got)
        await asyncio.sleep(0.4 if wanted is None else 0.1)


def find_differences(wanted: dict[str, View], found: dict[str, View]) -> dict[str, object]:
    """Return what differs, by case."""
    return {
        name: {"wanted": shorten(view), "found": shorten(found[name])}
        for name, view in wanted.items()
        if view != found[name]
    }


def shorten(view: View) -> str:
    """Return a view in a line."""
    messages = [(opcode, len(text), text[:40]) for opcode, text in view.messages]
    return f"{messages} {replace(view, messages=[], rest=view.rest[:40])}"


def mover(doors: Doors) -> Between:
    """Return what moves the client of a path to the other colour."""

    def move(path: str) -> "asyncio.Future[object] | None":
        for client in doors.relay.clients_of("blue"):
            if client.handshake is not None and client.handshake.target == path:
                doors.relay.arm(client)
                return asyncio.ensure_future(doors.relay.move(client, "green"))
        return None  # it was refused, and has ended

    return move


def count_moved(doors: Doors) -> int:
    """Return how many moves have succeeded."""
    return sum(counters.moved for counters in doors.relay.counters.values())


@pytest.mark.parametrize("chapter", SMALL)
async def test_a_client_sees_the_same_as_without_a_relay_and_also_when_it_is_moved(
    chapter: str,
) -> None:
    cases = CHAPTERS[chapter]()
    async with run_echo_programs() as ports, AsyncExitStack() as stack:
        quiet, moving = [
            await stack.enter_async_context(serve_relay(ports, timing=QUICK)) for _ in range(2)
        ]
        direct = await Run(ports["blue"]).see(cases)
        relayed, moved = await asyncio.gather(
            Run(quiet.ports["blue"]).see(cases, direct),
            Run(moving.ports["blue"], mover(moving)).see(cases, direct),
        )
    assert find_differences(direct, relayed) == {}
    assert find_differences(direct, moved) == {}
    assert count_moved(moving) > 0


async def test_profiles_that_read_every_message_change_nothing() -> None:
    cases = {name: parts for chapter in SMALL for name, parts in CHAPTERS[chapter]().items()}
    async with run_echo_programs() as ports:
        direct = await Run(ports["blue"]).see(cases)

        async def compare(profile: str) -> dict[str, object]:
            async with serve_relay(ports, profile, QUICK) as doors:
                return find_differences(direct, await Run(doors.ports["blue"]).see(cases, direct))

        found = await asyncio.gather(*map(compare, READING))
    assert dict(zip(READING, found, strict=True)) == {profile: {} for profile in READING}


async def test_large_messages_pass_and_a_client_moves_between_them() -> None:
    cases = CHAPTERS["limits"]()
    async with run_echo_programs() as ports, serve_relay(ports) as doors:
        direct = await Run(ports["blue"]).see(cases)
        moved = await Run(doors.ports["blue"], mover(doors)).see(cases, direct)
    assert find_differences(direct, moved) == {}
    assert count_moved(doors) > 0


def to_program(parts: list[bytes]) -> bytes:
    """Return what a program must get of a client that sends parts, and then a close."""
    return b"".join([*parts, close()])


async def test_every_byte_of_a_client_reaches_the_program_as_it_is() -> None:
    """Programs that check nothing, so that broken frames and what follows them count too."""
    cases = {name: parts for chapter in SMALL for name, parts in CHAPTERS[chapter]().items()}
    async with run_raw_programs(answers=False) as programs:
        ports = {colour: program.port for colour, program in programs.items()}
        async with serve_relay(ports, timing=QUICK) as doors:

            async def send(number: int, parts: list[bytes]) -> None:
                client = await connect(doors.ports["blue"], f"/case/{number}")
                await send_parts(client, [*parts, close()], 0.0)
                client.leave()

            await asyncio.gather(*(send(n, parts) for n, parts in enumerate(cases.values())))
            for number, (name, parts) in enumerate(cases.items()):
                connection = programs["blue"].connection(f"/case/{number}")
                assert connection is not None
                await wait_until(lambda c=connection: c.has_ended, f"{name} has ended")  # type: ignore[misc]
                assert bytes(connection.got) == to_program(parts), name


MOVABLE = ("framing", "pings", "fragments", "texts")


@pytest.mark.parametrize("reads", [False, True], ids=["plain", "reading"])
async def test_frames_of_a_client_that_moves_reach_one_program_each(reads: bool) -> None:
    """What each program got, less the relay's own frames, is what the client has sent."""
    cases = {
        name: parts
        for chapter in MOVABLE
        for name, parts in CHAPTERS[chapter]().items()
        if "close" not in name  # the program ends there
    }
    profile = "yjs" if reads else "plain"
    async with run_raw_programs() as programs:
        ports = {colour: program.port for colour, program in programs.items()}
        async with serve_relay(ports, profile, QUICK) as doors:
            await Run(doors.ports["blue"], mover(doors)).see(cases)
            for number, (name, parts) in enumerate(cases.items()):
                got = b"".join(
                    received(program, f"/case/{number}") for program in programs.values()
                )
                wanted, found = read_view(to_program(parts)), read_view(got)
                assert found == wanted, name
        assert count_moved(doors) > len(cases) / 2


def received(program: RawProgram, path: str) -> bytes:
    """Return a program's frames of a client, less the ping and the close of the relay."""
    connection = program.connection(path)
    if connection is None:
        return b""
    own = mask((1001).to_bytes(2, "big"), b"\0" * 4)
    kept = [one for one in connection.frames if (one.opcode, one.payload) != (CLOSE, own)]
    return b"".join(one.data for one in kept)


@pytest.mark.parametrize("moves", [False, True])
async def test_every_byte_of_a_program_reaches_the_client_as_it_is(moves: bool) -> None:
    cases = program_cases()
    async with run_raw_programs() as programs:
        ports = {colour: program.port for colour, program in programs.items()}
        async with serve_relay(ports, timing=QUICK) as doors:
            move = mover(doors) if moves else nothing

            async def see(number: int, parts: list[bytes]) -> bytes:
                path = f"/case/{number}"
                client = await connect(doors.ports["blue"], path)
                half = (len(parts) + 1) // 2
                await programs["blue"].send(path, parts[:half])
                await client.read_until(sum(map(len, parts[:half])))
                moving = move(path)
                moved = moving is not None and await moving is None
                await programs["green" if moved else "blue"].send(path, parts[half:])
                await client.read_until(sum(map(len, parts)))
                client.leave()
                return bytes(client.got)

            got = await asyncio.gather(*(see(n, p) for n, p in enumerate(cases.values())))
            for (name, parts), data in zip(cases.items(), got, strict=True):
                assert data == b"".join(parts), name
            assert not moves or count_moved(doors) > len(cases) / 4


def program_cases() -> Cases:
    """Return the cases as a program sends them, without masks; closes of every code."""
    cases: Cases = {}
    for chapter in ("framing", "pings", "fragments", "texts", "broken frames", "closes"):
        for name, parts in CHAPTERS[chapter]().items():
            whole = unmasked(b"".join(parts))
            if whole:
                cases[f"{chapter}: {name}"] = whole
    return cases


def unmasked(data: bytes) -> list[bytes]:
    """Return the frames of a client as a program sends them; one broken frame ends them."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= 6:
        size, head = data[at + 1] & 0x7F, 2
        if size > 125:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[at + 2 : at + head], "big")
        if not data[at + 1] & 0x80 or at + head + 4 + size > len(data):
            break
        begin = at + head + 4
        payload = mask(data[begin : begin + size], data[begin - 4 : begin])
        first = data[at]
        found.append(
            frame(
                first & 0x0F,
                payload,
                final=bool(first & 0x80),
                reserved=(first >> 4) & 7,
                key=None,
            )
        )
        at = begin + size
    return list(itertools.islice(found, 300))
