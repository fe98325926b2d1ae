"""Bringing the environment up and down, again, at once, and where it cannot be."""

import asyncio
import shutil
import socket
import stat
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from isshoni.environments.errors import PortTaken, ProgramNotReady, RedisFault
from isshoni.environments.local.config import Ports
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.supervision import supervisor_pid
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release, SlotState, Stable, Weights
from tests.support.local_environments import close_all, echoes, kill, open_socket, pid_of

PROGRAMS = ("redis", "balancer", "blue")


def processes_of(state_dir: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(state_dir) in word for word in process.info["cmdline"] or ())
    ]


@pytest.mark.spec("C8")
async def test_up_twice_changes_nothing(environment: LocalEnvironment, v1: Release) -> None:
    await environment.up(Stable("blue", v1))
    before = {name: pid_of(environment, name) for name in PROGRAMS}
    held = await open_socket(environment)
    await environment.traffic.apply_weights(Weights(40, 60))
    said: list[str] = []
    await LocalEnvironment(environment.config, said.append).up(Stable("blue", v1))
    assert [words for words in said if words.startswith("starting")] == []
    assert "v1 on blue is running" in said
    assert {name: pid_of(environment, name) for name in PROGRAMS} == before
    assert await environment.traffic.verify_weights() == Weights(40, 60)
    assert await echoes([held])
    await close_all([held])


async def test_up_twice_at_once_makes_one_environment(
    environment: LocalEnvironment, v1: Release
) -> None:
    other = LocalEnvironment(environment.config)
    assert other.ports == environment.ports
    await asyncio.gather(environment.up(Stable("blue", v1)), other.up(Stable("blue", v1)))
    state_dir = environment.config.state_dir
    envoys = [p for p in processes_of(state_dir) if "bootstrap.json" in " ".join(p.cmdline())]
    assert len(envoys) == 1


async def test_down_leaves_data_and_nothing_running(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    await environment.down()
    await environment.down()
    state_dir = environment.config.state_dir
    assert processes_of(state_dir) == []
    assert supervisor_pid(state_dir) is None
    assert not await environment.is_up()
    assert (state_dir / "redis" / "appendonlydir").is_dir()
    assert await environment.compute.observe_slots() == {"blue": SlotState(), "green": SlotState()}


async def test_up_after_down_sends_all_traffic_to_the_stable_slot(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    await environment.down()
    await environment.up(Stable("green", v1))
    assert await environment.traffic.verify_weights() == Weights(0, 100)


async def test_purge_removes_the_state_directory(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    state_dir = environment.config.state_dir
    await environment.down()
    await environment.purge()
    assert not state_dir.exists()
    state_dir.mkdir()


async def test_up_with_another_release_refuses(environment: LocalEnvironment, v1: Release) -> None:
    await environment.up(Stable("blue", v1))
    with pytest.raises(EnvironmentFault, match="blue runs v1 already: deploy v9"):
        await environment.up(Stable("blue", Release("v9")))


@pytest.mark.parametrize(
    "setting",
    ["public", "balancer_admin", "redis", "blue", "blue_admin", "green", "green_admin"],
)
async def test_a_port_in_use_is_named_with_its_holder(
    environment: LocalEnvironment, v1: Release, setting: str
) -> None:
    port = getattr(environment.ports, setting)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken) as caught:
        await environment.up(Stable("blue", v1))
    message = str(caught.value)
    assert f"port {port} is in use" in message and f"ports.{setting}" in message
    assert str(psutil.Process().pid) in message


async def test_a_taken_port_of_the_idle_slot_does_not_stop_a_repair(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    port, steps = environment.ports.green_admin, list[str]()
    again = LocalEnvironment(environment.config, steps.append)
    with socket.create_server(("127.0.0.1", port)):
        await again.up(Stable("blue", v1))
    (named,) = [step for step in steps if "next deploy" in step]
    assert f"port {port} is in use" in named and "ports.green_admin" in named


async def test_a_release_that_dies_is_given_up_with_its_last_words(
    environment: LocalEnvironment,
) -> None:
    bad = Release("bad", command=f"{sys.executable} -c 'print(\"no key\"); exit(4)'")
    with pytest.raises(ProgramNotReady, match=r"blue did not get ready.*exit code 4: no key"):
        await environment.up(Stable("blue", bad))


async def test_a_release_that_never_started_does_not_block_the_next_up(
    environment: LocalEnvironment, v1: Release
) -> None:
    with pytest.raises(ProgramNotReady):
        await environment.up(Stable("blue", Release("bad", command="false")))
    await environment.up(Stable("blue", v1))
    assert await environment.is_up()


async def test_a_port_lost_to_another_program_is_named_at_the_next_up(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    supervisor = supervisor_pid(environment.config.state_dir)
    assert supervisor is not None
    kill(supervisor)
    kill(pid_of(environment, "redis"))
    port = environment.ports.redis
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken, match=f"port {port}"):
        await environment.up(Stable("blue", v1))
    await environment.up(Stable("blue", v1))


async def test_a_redis_of_your_own_that_is_not_there_is_one_sentence(
    environment: LocalEnvironment, v1: Release
) -> None:
    url = "redis://:hidden@127.0.0.1:1/0"
    config = environment.config.model_copy(update={"redis_url": url})
    with pytest.raises(RedisFault, match="does not answer") as caught:
        await LocalEnvironment(config).up(Stable("blue", v1))
    assert "hidden" not in str(caught.value) and "\n" not in str(caught.value)


async def test_a_redis_of_your_own_with_another_password_is_one_sentence(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    url = f"redis://:wrong@127.0.0.1:{environment.ports.redis}/0"
    state_dir = environment.config.state_dir / "second"
    ports = Ports(**dict.fromkeys(Ports.model_fields, 0))
    config = environment.config.model_copy(
        update={"redis_url": url, "state_dir": state_dir, "ports": ports}
    )
    second = LocalEnvironment(config)
    with pytest.raises(RedisFault, match="refuses the user or password"):
        await second.up(Stable("blue", v1))
    await second.down()
    await second.purge()


@pytest.mark.spec("A7")
async def test_secrets_are_in_files_of_their_owner_and_in_no_command_line(
    environment: LocalEnvironment, v1: Release
) -> None:
    await environment.up(Stable("blue", v1))
    state_dir = environment.config.state_dir
    secrets = environment._credentials
    for path in (state_dir / "secrets.json", state_dir / "programs" / "blue.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = " ".join(" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))
    for secret in (secrets.admin_token, secrets.ticket_secret, secrets.redis_password):
        assert secret not in lines


async def test_a_state_directory_that_cannot_be_written_is_one_sentence(
    environment: LocalEnvironment,
) -> None:
    path = environment.config.state_dir / "a-file"
    path.touch()
    config = environment.config.model_copy(update={"state_dir": path})
    with pytest.raises(EnvironmentFault, match="a-file cannot be used"):
        LocalEnvironment(config)
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.spec("C9")
async def test_any_program_is_installed_and_started_on_a_slot(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "index.html").write_text("somebody else's")
    command = "python -m http.server {port} --bind {host}"
    theirs = Release("theirs", source=str(tmp_path), command=command, ready_path="/index.html")
    await environment.up(Stable("green", theirs))
    async with httpx.AsyncClient() as client:
        answer = await client.get(environment.addresses().public + "/index.html")
    assert (answer.text, answer.headers["x-isshoni-colour"]) == ("somebody else's", "green")
    (tmp_path / "index.html").write_text("changed since")
    before = pid_of(environment, "green")
    await environment.up(Stable("green", theirs))
    assert pid_of(environment, "green") == before
    assert await environment.backends.status("green") is None
