"""Two real regions on this machine: failover, a promotion that fails, and a lost region."""

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from isshoni.cli.config import load_config
from isshoni.cli.drill_regions import DrillRegions, open_drill, poll
from isshoni.engine.errors import NothingToDo
from isshoni.engine.failover import FailoverEngine, fail_over
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.redis_server import find_redis_server
from isshoni.environments.local.region_block import block
from isshoni.environments.local.region_data import serve_stored
from isshoni.environments.local.region_environment import RegionEnvironment
from isshoni.environments.local.regions import LocalRegions
from isshoni.environments.region_redis import RegionRedis
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import Failover
from isshoni.rollout.failover.steps import Mode, StepName
from tests.support.last_release import unpack_last_release


@pytest.fixture(scope="module")
def pair() -> Iterator[DrillRegions]:
    """Two regions, started once; each test leaves east serving and west as its standby."""
    with open_drill(None) as regions:
        asyncio.run(regions.up())
        yield regions


@asynccontextmanager
async def opened(pair: DrillRegions) -> AsyncIterator[FailoverEngine]:
    config = load_config(pair.config_file, {})
    regions = LocalRegions(config.environments.local, config.rollout)
    with closing(SqliteFailovers(pair.shared / "failovers.sqlite")) as journal:
        try:
            journals = {name: parts.journal for name, parts in regions.parts.items()}
            yield FailoverEngine(regions, journal, journals)
        finally:
            await regions.aclose()


def fail(pair: DrillRegions, to: str, mode: Mode | None = None) -> Failover:
    async def run() -> Failover:
        async with opened(pair) as engine:
            return await fail_over(engine, to=to, mode=mode)

    return asyncio.run(run())


def roles(pair: DrillRegions) -> dict[str, str]:
    seen = asyncio.run(pair.run("status"))["regions"]
    return {name: its["role"] for name, its in seen.items()}


def test_a_failover_and_back_leave_one_region_serving_and_restart_nothing(
    pair: DrillRegions,
) -> None:
    pids = {name: pair.files(name).observed("redis") for name in ("east", "west")}
    ended = fail(pair, "west")
    assert ended.outcome == "promoted" and not ended.reason, ended.reason
    assert roles(pair) == {"east": "standby", "west": "serving"}
    for name in ("east", "west"):
        asyncio.run(pair.run("up", "--region", name))
    assert {name: pair.files(name).observed("redis") for name in ("east", "west")} == pids
    assert fail(pair, "east").outcome == "promoted"
    assert roles(pair) == {"east": "serving", "west": "standby"}


def test_a_promotion_that_redis_refuses_ends_as_before(pair: DrillRegions) -> None:
    async def run() -> Failover:
        async with opened(pair) as engine, pair.without_promotion("west"):
            return await fail_over(engine)

    ended = asyncio.run(run())
    assert ended.outcome == "back", ended.reason
    assert "replicaof" in ended.reason
    assert roles(pair) == {"east": "serving", "west": "standby"}


@pytest.fixture
def quick(pair: DrillRegions) -> Iterator[None]:
    """Let the rollouts of a test take no longer than they have to."""
    written = pair.config_file.read_text()
    quick = "[rollout]\nweights = [100]\nbake_seconds = 0.0\n"
    pair.config_file.write_text(written.replace("[rollout]\n", quick))
    yield
    pair.config_file.write_text(written)


@pytest.mark.usefixtures("quick")
def test_a_region_with_a_release_from_before_regions_is_named_and_not_failed_over(
    pair: DrillRegions, tmp_path: Path
) -> None:
    source = unpack_last_release(tmp_path)
    ports = "ISSHONI_PORT={port} ISSHONI_ADMIN_PORT={admin_port}"
    command = f"env PYTHONPATH={source} {ports} {sys.executable} -m isshoni.backend"
    words = ("deploy", "0.2.0", "--command", command, "-e", "local.east")
    assert asyncio.run(pair.run(*words))["outcome"] == "promoted"
    east = asyncio.run(pair.run("status"))["regions"]["east"]
    assert (east["role"], east["version"]) == ("serving", "0.2.0")
    assert "0.2.0 knows nothing of regions: start a newer version" in east["reason"]
    why = r"east serves, and cannot be asked to stop its writes \(0\.2\.0 knows nothing of regions"
    with pytest.raises(NothingToDo, match=why):
        fail(pair, "west")
    # A failover is refused, and the standby never had it: one command ends that.
    back = asyncio.run(pair.run("rollback"))
    assert [(its["region"], its["outcome"]) for its in back["rollouts"]] == [("east", "promoted")]
    assert roles(pair) == {"east": "serving", "west": "standby"}


def test_a_fence_that_redis_refuses_ends_as_before(pair: DrillRegions) -> None:
    async def require_replicas(number: str) -> None:
        redis = RegionRedis(pair.redis_url("east"))
        await redis.command("CONFIG", "SET", "min-replicas-to-write", number)
        await redis.aclose()

    async def run() -> Failover:
        async with opened(pair) as engine:
            return await fail_over(replace(engine, bounds={StepName.FENCE: 1, StepName.UNFENCE: 3}))

    asyncio.run(require_replicas("2"))
    try:
        ended = asyncio.run(run())
    finally:
        asyncio.run(require_replicas("0"))
    assert ended.outcome == "back", ended.reason
    assert "NOREPLICAS" in ended.reason
    assert roles(pair) == {"east": "serving", "west": "standby"}


def test_a_lost_region_returns_as_a_standby_although_it_believes_that_it_serves(
    pair: DrillRegions,
) -> None:
    kept = pair.keep_programs("east")
    pair.kill("east")
    assert fail(pair, "west", "emergency").outcome == "promoted"
    assert roles(pair) == {"east": "down", "west": "serving"}
    asyncio.run(pair.return_programs("east", kept))
    asyncio.run(write_to_east(pair, "SET", "only-in-east", "1"))
    asyncio.run(pair.run("up", "--region", "east"))
    assert roles(pair) == {"east": "standby", "west": "serving"}
    ended = fail(pair, "east")
    assert ended.outcome == "promoted" and not ended.reason, ended.reason
    assert roles(pair) == {"east": "serving", "west": "standby"}
    assert asyncio.run(exists(pair, "only-in-east")) == 0
    assert asyncio.run(read_kept(pair, "only-in-east")) == b"1"


def test_a_stopped_region_is_refused_while_its_data_is_newer_and_else_a_copy_is_kept(
    pair: DrillRegions,
) -> None:
    programs = pair.keep_programs("east")
    pair.kill("east")
    assert fail(pair, "west", "emergency").outcome == "promoted"
    for term in ("99", "1"):
        asyncio.run(pair.return_programs("east", programs))
        written = ("HSET", "isshoni:region", "term", term, "writer", "east")
        asyncio.run(write_to_east(pair, *written))
        asyncio.run(write_to_east(pair, "SET", "only-in-stopped-east", term))
        stop(pair, "east")
        if term == "99":
            before = set(redis_directory(pair).iterdir())
            with pytest.raises(EnvironmentFault, match="east may have writes that west lacks"):
                asyncio.run(open_region(pair, "east")._choose_role())
            assert set(redis_directory(pair).iterdir()) == before
    asyncio.run(pair.run("up", "--region", "east"))
    assert roles(pair) == {"east": "standby", "west": "serving"}
    assert asyncio.run(read_kept(pair, "only-in-stopped-east")) == b"1"
    assert fail(pair, "east").outcome == "promoted"
    assert asyncio.run(exists(pair, "only-in-stopped-east")) == 0


def redis_directory(pair: DrillRegions) -> Path:
    return pair.shared / "east" / "redis"


def stop(pair: DrillRegions, name: str) -> None:
    """Kill a region, and let nothing start its programs again."""
    pair.kill(name)
    asyncio.run(block(name, pair.files(name)))


async def write_to_east(pair: DrillRegions, *command: str) -> None:
    redis = RegionRedis(pair.redis_url("east"))

    async def is_written() -> bool:
        with suppress(EnvironmentFault):  # it starts
            await redis.command(*command)
            return True
        return False

    await poll(is_written)
    await redis.aclose()


async def read_kept(pair: DrillRegions, key: str) -> object:
    """Read a key in the copy of east's data that was kept last."""
    kept = max(redis_directory(pair).glob("kept-*"))
    async with serve_stored(find_redis_server(LocalConfig()), kept) as redis:
        return await redis.command("GET", key)


async def exists(pair: DrillRegions, key: str) -> int:
    redis = RegionRedis(pair.redis_url("east"))
    try:
        return int(await redis.command("EXISTS", key))
    finally:
        await redis.aclose()


def test_a_deploy_changes_the_standby_and_then_the_serving_region(pair: DrillRegions) -> None:
    quick = "[rollout]\nbake_seconds = 0.2\nrequire_traffic = false\n"
    pair.config_file.write_text(pair.config_file.read_text().replace("[rollout]\n", quick))
    ended = asyncio.run(pair.run("deploy", "v2"))
    assert ended["outcome"] == "promoted", ended["reason"]
    assert [each["role"] for each in ended["rollouts"]] == ["standby", "serving"]
    seen = asyncio.run(pair.run("status"))["regions"]
    assert {name: (its["role"], its["version"]) for name, its in seen.items()} == {
        "east": ("serving", "v2"),
        "west": ("standby", "v2"),
    }
    assert fail(pair, "west").outcome == "promoted"
    assert fail(pair, "east").outcome == "promoted"


def test_a_primary_that_lost_its_data_does_not_start_and_its_replica_keeps_the_copy(
    pair: DrillRegions,
) -> None:
    async def write() -> None:
        east, west = RegionRedis(pair.redis_url("east")), RegionRedis(pair.redis_url("west"))
        await east.command("SET", "kept", "1")

        async def is_copied() -> bool:
            return bool(await west.command("EXISTS", "kept"))

        await poll(is_copied)
        await east.aclose()
        await west.aclose()

    asyncio.run(write())
    seen = pair.files("east").observed("redis")
    assert seen is not None and seen.pid is not None
    restarts = seen.restarts
    shutil.rmtree(pair.shared / "east" / "redis" / "appendonlydir")
    pair.signal_redis("east", signal.SIGKILL)

    def is_restarted() -> bool:
        now = pair.files("east").observed("redis")
        return now is not None and now.restarts > restarts

    asyncio.run(poll(is_restarted))
    with pytest.raises(EnvironmentFault, match="data of east is gone"):
        asyncio.run(open_region(pair, "east")._choose_role())
    assert fail(pair, "west", "emergency").outcome == "promoted"
    asyncio.run(pair.run("up", "--region", "east"))
    assert roles(pair) == {"east": "standby", "west": "serving"}
    assert fail(pair, "east").outcome == "promoted"
    assert asyncio.run(exists(pair, "kept")) == 1


def open_region(pair: DrillRegions, name: str) -> RegionEnvironment:
    config = load_config(pair.config_file, {})
    return RegionEnvironment(config.environments.local, config.rollout, name)
