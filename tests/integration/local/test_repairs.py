"""What `doctor --fix` repairs, and what it leaves alone."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.doctor import examine
from isshoni.environments.local.port_allocation import find_free_port, is_ephemeral, read_chosen
from isshoni.environments.local.process import spawn
from isshoni.environments.local.programs import Observed, Program, ProgramFiles
from isshoni.environments.local.repairs import repair
from isshoni.environments.local.supervision import stop_supervisor, supervisor_pid
from isshoni.environments.waiting import wait_until
from tests.support.local_environments import FREE_PORTS, state_directory


async def fix(config: LocalConfig, *, dry_run: bool = False) -> list[str]:
    failed = [check.name for check in await examine(config) if not check.ok]
    return await repair(config, failed, dry_run=dry_run)


async def failing(config: LocalConfig) -> list[str]:
    return [check.name for check in await examine(config) if not check.ok]


async def test_programs_without_a_supervisor_get_one() -> None:
    with state_directory() as state_dir:
        config = LocalConfig(state_dir=state_dir, ports=FREE_PORTS)
        files = ProgramFiles(state_dir)
        files.make_directories()
        program = Program(
            [sys.executable, "-c", "import time; time.sleep(60)"], str(files.log_path("blue")), 1.0
        )
        left = spawn(program, files.lock_path("blue"))
        assert "left processes" in await failing(config)
        promised = await fix(config, dry_run=True)
        assert promised == ["would have started the supervisor, which adopts or ends: blue"]
        assert supervisor_pid(state_dir) is None
        assert await fix(config) == ["started the supervisor, which adopts or ends: blue"]
        assert await wait_until(lambda: left.exit_words() is not None, 30.0)
        assert "left processes" not in await failing(config)
        await stop_supervisor(state_dir)


def make_ended_process() -> int:
    """Return the pid of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


async def test_files_about_ended_processes_and_unfinished_writes_are_removed(
    tmp_path: Path,
) -> None:
    config = LocalConfig(state_dir=tmp_path, ports=FREE_PORTS)
    files = ProgramFiles(tmp_path)
    files.make_directories()
    files.record(
        "green", Observed("revision", pid=make_ended_process(), create_time=1.0, identity="old")
    )
    files.record("blue", Observed("revision", pid=os.getpid(), create_time=None))
    unfinished = tmp_path / "programs" / ".green.json.x1y2z3"
    unfinished.write_bytes(b"{")
    assert await failing(config) == ["left files"]
    assert len(await fix(config, dry_run=True)) == 2 and unfinished.exists()
    removed = await fix(config)
    assert removed == [
        f"removed {tmp_path / 'observed' / 'green.json'}",
        f"removed {unfinished}",
    ]
    assert await failing(config) == []
    assert files.observed("blue") is not None


async def test_secrets_are_closed_to_other_users(tmp_path: Path) -> None:
    config = LocalConfig(state_dir=tmp_path, ports=FREE_PORTS)
    secret = tmp_path / "secrets.json"
    secret.write_text("{}")
    secret.chmod(0o644)
    assert await failing(config) == ["permissions"]
    assert await fix(config) == [f"made {secret} readable by its owner only"]
    assert await failing(config) == []


def choose(state_dir: Path, **ports: int) -> None:
    (state_dir / "ports.json").write_text(json.dumps(ports))


async def test_chosen_ports_of_the_kernel_or_of_others_are_chosen_again(tmp_path: Path) -> None:
    ports = Ports(**{**dict.fromkeys(Ports.model_fields, 0), "green": 21_000})
    config = LocalConfig(state_dir=tmp_path, ports=ports)
    outside = find_free_port("127.0.0.1")
    inside = next(port for port in range(65_535, 1024, -1) if is_ephemeral(port))
    choose(tmp_path, public=outside, redis=inside, green=inside)
    assert await failing(config) == ["chosen ports"]
    (words,) = await fix(config)
    assert words.startswith(f"forgot port {inside} (ports.redis) is one that the kernel may use")
    assert read_chosen(tmp_path) == {"public": outside, "green": inside}
    with socket.create_server(("127.0.0.1", outside)):
        assert await failing(config) == ["chosen ports"]
        (words,) = await fix(config)
        assert f"{outside} (ports.public) is in use by" in words


@pytest.mark.parametrize("words", [("--fix",), ("--fix", "--dry-run")])
def test_the_command_prints_what_it_did_as_json(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "secrets.json").touch(0o644)
    choose(tmp_path)
    environ = {"ISSHONI_STATE_DIR": str(tmp_path), "ISSHONI_CONFIG": str(tmp_path / "isshoni.toml")}
    ports = "\n".join(f"{name} = 0" for name in Ports.model_fields)
    (tmp_path / "isshoni.toml").write_text(f"[environments.local.ports]\n{ports}\n")
    done = subprocess.run(
        [sys.executable, "-m", "isshoni.cli", "doctor", *words, "--json"],
        env={**os.environ, **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert len(found["fixed"]) == 1
    by_name = {check["name"]: check["ok"] for check in found["checks"]}
    assert by_name["permissions"] == ("--dry-run" not in words)
    assert done.returncode == (4 if "--dry-run" in words else 0)


def test_nothing_is_repaired_without_being_asked(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").touch(0o644)
    asyncio.run(examine(LocalConfig(state_dir=tmp_path, ports=FREE_PORTS)))
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o644
