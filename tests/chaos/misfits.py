"""Clients that misbehave, in the sessions of synthetic users."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.backend import RawClient

LIE_LIMIT = 2**53 - 1
Misfit = Callable[["Door", random.Random], Awaitable[None]]
MISFITS: dict[str, Misfit] = {}
"""Every kind of misfit by its name; each acts once and disconnects."""
_names = count(1)


def misfit(act: Misfit) -> Misfit:
    """Add a kind of misfit to the list."""
    MISFITS[act.__name__] = act
    return act


class Door:
    """Opens raw connections to one session."""

    def __init__(self, url: str, session_id: str) -> None:
        self._url = f"{url}/ws/{session_id}"
        self._session_id = session_id

    async def connect(self, **options: Any) -> RawClient:
        """Open a WebSocket and send nothing."""
        options = {"compression": None, "proxy": None, "max_queue": None, **options}
        return RawClient(await connect(self._url, **options), self._session_id)

    async def join(self, client_id: str, **fields: Any) -> RawClient:
        """Open a WebSocket and restore."""
        client = await self.connect()
        await client.restore(client_id=client_id, **fields)
        return client


def new_name(kind: str) -> str:
    """Return a client_id that no client has had."""
    return f"misfit-{kind}-{next(_names)}"


@misfit
async def vanish(door: Door, rng: random.Random) -> None:
    """Send, and disconnect without a close frame while the last messages are in flight."""
    name, n = new_name("vanish"), 0
    for generation in range(1, 6):
        client = await door.join(name, generation=generation)
        for _ in range(rng.randint(1, 5)):
            n += 1
            await client.chat(n, f"last words {n}")
        client.connection.transport.abort()


@misfit
async def freeze(door: Door, rng: random.Random) -> None:
    """Stop reading for good, and make sure that there is much to read."""
    frozen = await door.connect(max_queue=1)
    await frozen.send(type="restore_session", session_id=frozen.session_id)
    writer = await door.join(new_name("loud"))
    for n in range(1, 301):
        await writer.chat(n, "x" * 4000)
    while (await writer.read("ack"))["n"] < 300:
        pass
    frozen.connection.transport.abort()
    await writer.close()


@misfit
async def fall_deaf_in_a_crowd(door: Door, rng: random.Random) -> None:
    """Be 25 clients that restore, never read again, and are sent 2 MB each."""
    deaf = [await door.connect(max_queue=1) for _ in range(25)]
    for one in deaf:
        await one.send(type="restore_session", session_id=one.session_id)
    writer = await door.join(new_name("loud"))
    for n in range(1, 501):
        await writer.chat(n, "x" * 4000)
    while (await writer.read("ack"))["n"] < 500:
        pass
    for one in deaf:
        one.connection.transport.abort()
    await writer.close()


@misfit
async def resend_everything(door: Door, rng: random.Random) -> None:
    """Send all again after every message, as if no answer ever came."""
    client = await door.join(new_name("resend"))
    for last in range(1, 13):
        for n in range(1, last + 1):
            await client.chat(n, f"again {n}")
    while (await client.read("ack"))["n"] < 12:
        pass
    await client.close()


@misfit
async def reorder(door: Door, rng: random.Random) -> None:
    """Send messages in any order, until each had its turn."""
    client = await door.join(new_name("reorder"))
    for _ in range(8):
        numbers = list(range(1, 9))
        rng.shuffle(numbers)
        for n in numbers:
            await client.chat(n, f"shuffled {n}")
    await client.close()


@misfit
async def reconnect_twice_at_once(door: Door, rng: random.Random) -> None:
    """Be two connections of one client, of one generation, saying the same."""
    name = new_name("twice")
    twins = await asyncio.gather(*(door.join(name, generation=7) for _ in range(2)))

    async def speak(twin: RawClient) -> None:
        for n in range(1, 21):
            await twin.chat(n, f"both {n}")
            await asyncio.sleep(rng.random() / 200)

    await asyncio.gather(*(speak(twin) for twin in twins))
    await asyncio.gather(*(twin.close() for twin in twins))


@misfit
async def lie_about_n(door: Door, rng: random.Random) -> None:
    """Skip, go back, and name numbers that cannot be."""
    client = await door.join(new_name("liar"))
    lies: list[Any] = [5, 1, 7, 6, 6, LIE_LIMIT, LIE_LIMIT + 1, 0, -1, "6", 1.5, None, True, [6]]
    for n in rng.sample(lies, len(lies)):
        await client.send(type="chat", n=n, text=f"number {n}")
    await client.close()
    newcomer = await door.join(new_name("liar"))
    await newcomer.chat(LIE_LIMIT, "my first is the last that can be")
    await newcomer.read("ack")
    await newcomer.chat(LIE_LIMIT, "and again")
    await newcomer.close()


@misfit
async def lie_about_position(door: Door, rng: random.Random) -> None:
    """Claim to hold what never was, again and again on one connection."""
    client = await door.connect()
    epoch = (await client.restore())["position"]["epoch"]
    lies = [
        {"epoch": epoch, "seq": LIE_LIMIT},
        {"epoch": epoch, "seq": 10_000},
        {"epoch": "never", "seq": 3},
        {"epoch": "", "seq": 0},
        {"epoch": epoch, "seq": -1},
        {"epoch": epoch, "seq": "1"},
        {"epoch": "x" * 65, "seq": 1},
        {"seq": 1},
        "here",
    ]
    for position in rng.sample(lies, len(lies)):
        await client.send(type="restore_session", session_id=client.session_id, position=position)
        await client.read("session_restored", "error")
    await client.close()


@misfit
async def chatter_nonsense(door: Door, rng: random.Random) -> None:
    """Send garbage of both kinds until the server closes."""
    client = await door.connect()
    with suppress(ConnectionClosed):
        while True:
            noise = rng.randbytes(rng.randint(0, 60))
            await client.connection.send(noise if rng.random() < 0.5 else noise.hex())
            await asyncio.sleep(0)  # sending alone never reads the close frame


async def find_log_faults(door: Door) -> list[str]:
    """Read a session's whole log as a newcomer; return what must not be in any log."""
    reader = await door.connect(max_size=None)
    epoch = (await reader.restore())["position"]["epoch"]
    answer = await reader.restore(position={"epoch": epoch, "seq": 0})
    await reader.close()
    faults = []
    seqs = [event["seq"] for event in answer["chat_history"]]
    if answer["mode"] == "replay" and seqs != list(range(1, len(seqs) + 1)):
        faults.append("the log has holes")
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in answer["chat_history"]:
        numbers[event["client_id"]].append(event["n"])
    for client_id, written in numbers.items():
        doubled = [n for n, times in Counter(written).items() if times > 1]
        if doubled:
            faults.append(f"{client_id} has {doubled} twice")
        if written != sorted(written):
            faults.append(f"{client_id} is out of order: {written}")
    return faults
