"""`up` applies what changed in the configuration, and says why something is not ready."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.local import awaiting
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import FREE_PORTS, pid_of, state_directory
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


async def test_what_is_not_ready_is_told_with_its_own_reason(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "READY_SECONDS", 12.0)
    monkeypatch.setattr(awaiting, "TELL_AFTER_SECONDS", 0.0)
    told = Told()
    with ValkeyServer(tmp_path / "one", fsync="everysec") as server:
        rights = ["~*", "&*", "+@all", "-time"]
        server.command("ACL", "SETUSER", "poor", "on", ">secret", *rights)
        url = server.url.replace("redis://", "redis://poor:secret@")
        environment = open_environment(state_dir, told, redis_url=url)
        with pytest.raises(ProgramNotReady, match=r"\+time"):
            await environment.up(V1)
    assert "blue is not ready yet: Redis: " in told
    assert "+time" in told
