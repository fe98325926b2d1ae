"""What a standby lacked when its primary was lost, by the files of both Redis servers."""

import shutil
from pathlib import Path
from typing import Any

import msgspec

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.redis_server import find_redis_server
from isshoni.environments.local.region_data import DATA, serve_stored
from isshoni.environments.region_redis import RegionRedis


class Loss(msgspec.Struct, frozen=True):
    """Acknowledged writes that the standby lacked; clients that live hand them back."""

    messages: int
    edits: int
    oldest_at: float | None
    """When the oldest of the messages was written, in seconds since 1970."""


def copy_data(redis_directory: Path, to: Path) -> None:
    """Copy the files of a Redis that writes nothing now."""
    shutil.copytree(redis_directory / DATA, to / DATA)


async def measure_loss(old: Path, new: Path) -> Loss:
    """Return what the copy of the old data has and that of the new one lacks."""
    server = find_redis_server(LocalConfig())
    async with serve_stored(server, old) as before, serve_stored(server, new) as after:
        messages, edits, times = 0, 0, []
        for key in await before.command("KEYS", "chat:*:log"):
            missing = await _list_missing(key, before, after)
            messages += len(missing)
            times += [msgspec.json.decode(fields[b"e"])["at"] / 1000 for fields in missing]
        for key in await before.command("KEYS", "canvas:*:log"):
            edits += len(await _list_missing(key, before, after))
        return Loss(messages, edits, min(times, default=None))


async def _list_missing(
    key: bytes, before: RegionRedis, after: RegionRedis
) -> list[dict[bytes, bytes]]:
    name = key.decode()
    last = await after.command("XREVRANGE", name, "+", "-", "COUNT", "1")
    start = f"({last[0][0].decode()}" if last else "-"
    found: list[Any] = await before.command("XRANGE", name, start, "+")
    return [fields if isinstance(fields, dict) else _pair(fields) for _, fields in found]


def _pair(fields: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=True))
