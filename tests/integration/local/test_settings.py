"""`up` applies what changed in the configuration, and says why something is not ready."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from isshoni.environments.errors import RedisFault, UnfitRedis
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.doctor import check_redis_server
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, SlotState, Stable
from tests.support.local_environments import (
    FREE_PORTS,
    eventually_healthy,
    pid_of,
    state_directory,
)
from tests.support.valkey import ValkeyServer, find_free_port

Open = Callable[..., LocalEnvironment]
V1 = Stable("blue", Release("v1"))


class Told(list[str]):
    """What `up` said."""

    def __contains__(self, words: object) -> bool:
        return any(str(words) in line for line in self)


@pytest.fixture
async def state_dir() -> AsyncIterator[Path]:
    with state_directory() as path:
        yield path


def open_environment(state_dir: Path, told: Told, **settings: object) -> LocalEnvironment:
    config = LocalConfig.model_validate(
        {"state_dir": state_dir, "ports": FREE_PORTS, "stop_seconds": 3.0, **settings}
    )
    return LocalEnvironment(config, told.append)


@pytest.mark.spec("C8")
async def test_up_applies_a_mended_redis_url(state_dir: Path, tmp_path: Path) -> None:
    told = Told()
    with (
        ValkeyServer(tmp_path / "one", fsync="everysec") as one,
        ValkeyServer(tmp_path / "two", fsync="everysec") as two,
    ):
        environment = open_environment(state_dir, told, redis_url=one.url)
        await environment.up(V1)
        before = pid_of(environment, "blue")
        one.kill()
        mended = open_environment(state_dir, told, redis_url=two.url)
        await mended.up(V1)
        assert "restarting blue: REDIS_URL changed" in told
        assert pid_of(mended, "blue") != before
        assert await mended.is_up()
        after, balancer = pid_of(mended, "blue"), pid_of(mended, "balancer")
        await open_environment(state_dir, told, redis_url=two.url).up(V1)
        assert (pid_of(mended, "blue"), pid_of(mended, "balancer")) == (after, balancer)
        await mended.down()


@pytest.mark.spec("C8")
async def test_up_applies_another_port_and_another_fsync(state_dir: Path) -> None:
    told = Told()
    environment = open_environment(state_dir, told)
    await environment.up(V1)
    port = find_free_port()
    ports = Ports(**{**FREE_PORTS.model_dump(), "public": port})
    changed = open_environment(
        state_dir, told, ports=ports, redis_fsync="everysec", origins=["https://draw.example"]
    )
    blue = pid_of(environment, "blue")
    await changed.up(V1)
    assert "restarting redis" in told
    assert "restarting balancer" in told
    assert "restarting blue: ISSHONI_ORIGINS changed" in told
    assert pid_of(changed, "blue") != blue
    assert changed.public_url.endswith(str(port))
    assert await changed.is_up()
    await changed.down()


async def test_a_redis_that_lacks_a_right_is_refused_at_once_with_the_right(
    state_dir: Path, tmp_path: Path
) -> None:
    with ValkeyServer(tmp_path / "one", fsync="everysec") as server:
        rights = ["~*", "&*", "+@all", "-time"]
        server.command("ACL", "SETUSER", "poor", "on", ">secret", *rights)
        url = server.url.replace("redis://", "redis://poor:secret@")
        environment = open_environment(state_dir, Told(), redis_url=url)
        with pytest.raises(RedisFault, match=r"\+time"):
            await environment.up(V1)
        assert (await environment.compute.observe_slots())["blue"] == SlotState()
        await environment.down()


UNFIT = {
    "eviction": {"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"},
    "persistence": {"appendonly": "no"},
}


@pytest.mark.parametrize("name", UNFIT)
async def test_a_redis_that_loses_sessions_is_refused_unless_that_is_accepted(
    name: str, state_dir: Path, tmp_path: Path
) -> None:
    with ValkeyServer(tmp_path / "one", fsync="everysec", options=UNFIT[name]) as server:
        environment = open_environment(state_dir, Told(), redis_url=server.url)
        with pytest.raises(UnfitRedis, match=r"docs/redis\.md"):
            await environment.up(V1)
        check = await check_redis_server(environment.config)
        assert not check.ok
        accepting = open_environment(state_dir, Told(), redis_url=server.url, redis_accept=[name])
        check = await check_redis_server(accepting.config)
        assert check.ok
        assert "accepted: " in check.detail
        await environment.down()


async def test_an_unfit_redis_that_serves_already_is_reported_and_kept(
    state_dir: Path, tmp_path: Path
) -> None:
    told = Told()
    with ValkeyServer(tmp_path / "one", fsync="everysec") as server:
        environment = open_environment(state_dir, told, redis_url=server.url)
        await environment.up(V1)
        before = pid_of(environment, "blue")
        for setting in UNFIT["eviction"].items():
            server.command("CONFIG", "SET", *setting)
        await environment.up(V1)
        assert pid_of(environment, "blue") == before
        assert "Redis: maxmemory-policy allkeys-lru throws acknowledged messages away" in told
        # The second process asks by itself; the first would within half a minute.
        await environment.compute.start("green", Release("v2"))
        await eventually_healthy(environment, blue=True, green=True)
        status = await environment.backends.status("green")
        assert status is not None
        (finding,) = status.redis_findings
        assert "allkeys-lru" in finding
        proof = await environment.backends.prove("green")
        assert proof.holds, "the candidate is not to blame"
        assert proof.warnings == (finding,)
        await environment.down()


async def test_a_redis_without_info_works_and_is_said_to_be_unchecked(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "one", fsync="everysec") as server:
        server.command("ACL", "SETUSER", "mute", "on", ">secret", "~*", "&*", "+@all", "-info")
        url = server.url.replace("redis://", "redis://mute:secret@")
        check = await check_redis_server(LocalConfig(redis_url=url))
    assert check.ok
    assert "could not be checked" in check.detail
    assert "secret" not in check.detail


async def test_a_redis_that_is_not_there_is_one_sentence() -> None:
    url = f"redis://:hidden@127.0.0.1:{find_free_port()}/0"
    check = await check_redis_server(LocalConfig(redis_url=url))
    assert not check.ok
    assert "hidden" not in check.detail


async def test_a_cluster_url_is_examined_too() -> None:
    url = f"redis+cluster://:hidden@127.0.0.1:{find_free_port()}"
    check = await check_redis_server(LocalConfig(redis_url=url))
    assert not check.ok
    assert "is not connected" in check.detail
    assert "hidden" not in check.detail
