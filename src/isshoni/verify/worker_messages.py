"""What a run and its worker processes say to one another: msgpack, with its length before it."""

import asyncio
from typing import Literal

import msgspec

from isshoni.verify.collected import Collected
from isshoni.verify.load import Counts
from isshoni.verify.settings import RunSettings

Step = Literal["connect", "start_talking", "stop_talking", "settle", "read_final_state"]
_LENGTH_BYTES = 8


class Start(msgspec.Struct, frozen=True, tag=True):
    """Make the users of one part of a run."""

    url: str
    settings: RunSettings
    run: str
    index: int
    of: int
    clock_started: float
    started_at_unix: float


class Do(msgspec.Struct, frozen=True, tag=True):
    """Do the next step of the run."""

    step: Step


class Collect(msgspec.Struct, frozen=True, tag=True):
    """Send what was found."""

    deploys_began_at: tuple[float, ...]
    ended_at: float


ToWorker = Start | Do | Collect


class Done(msgspec.Struct, frozen=True, tag=True):
    """A step is done."""

    step: Step


class Counted(msgspec.Struct, frozen=True, tag=True):
    """How far the users of this worker are."""

    counts: Counts


class Found(msgspec.Struct, frozen=True, tag=True):
    """What was found."""

    collected: Collected


FromWorker = Done | Counted | Found

_encode = msgspec.msgpack.Encoder().encode
_decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
_decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def send(stream: asyncio.StreamWriter, message: ToWorker | FromWorker) -> None:
    """Queue a message."""
    encoded = _encode(message)
    stream.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)


async def read_to_worker(stream: asyncio.StreamReader) -> ToWorker | None:
    """Return the run's next message; None at the end of the stream."""
    encoded = await _read(stream)
    return None if encoded is None else _decode_to_worker(encoded)


async def read_from_worker(stream: asyncio.StreamReader) -> FromWorker | None:
    """Return the worker's next message; None at the end of the stream."""
    encoded = await _read(stream)
    return None if encoded is None else _decode_from_worker(encoded)


async def _read(stream: asyncio.StreamReader) -> bytes | None:
    try:
        length = int.from_bytes(await stream.readexactly(_LENGTH_BYTES), "big")
        return await stream.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
