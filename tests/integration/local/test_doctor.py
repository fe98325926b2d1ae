"""The doctor, on this machine and on machines that lack something."""

import socket
import sys
from pathlib import Path

import pytest

from isshoni.environments.checks import Check
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.doctor import examine
from isshoni.environments.local.process import spawn
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.waiting import wait_until

FREE_PORTS = Ports(**dict.fromkeys(Ports.model_fields, 0))


async def look(config: LocalConfig, name: str) -> Check:
    return next(check for check in await examine(config) if check.name == name)


async def test_all_is_well_here(tmp_path: Path) -> None:
    checks = await examine(LocalConfig(state_dir=tmp_path / "new", ports=FREE_PORTS))
    assert [check for check in checks if not check.ok] == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("setting", "name"), [("envoy", "load balancer"), ("redis_server", "redis")]
)
async def test_a_program_that_does_not_run_is_named(
    tmp_path: Path, setting: str, name: str
) -> None:
    missing = tmp_path / "missing"
    config = LocalConfig(state_dir=tmp_path, ports=FREE_PORTS, **{setting: missing})  # type: ignore[arg-type]
    check = await look(config, name)
    assert not check.ok and str(missing) in check.detail and setting in str(check.remedy)


async def test_ports_in_use_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports = FREE_PORTS.model_copy(update={"redis": port})
        check = await look(LocalConfig(state_dir=tmp_path, ports=ports), "ports")
    assert not check.ok and f"{port} (ports.redis)" in check.detail


async def test_ports_of_its_own_programs_are_no_fault_without_a_supervisor(tmp_path: Path) -> None:
    files = ProgramFiles(tmp_path)
    files.make_directories()
    wait = [sys.executable, "-c", "import time; time.sleep(60)"]
    left = spawn(Program(wait, str(files.log_path("blue")), 1.0), files.lock_path("blue"))
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            own = LocalConfig(
                state_dir=tmp_path, ports=FREE_PORTS.model_copy(update={"blue_admin": port})
            )
            foreign = LocalConfig(
                state_dir=tmp_path, ports=FREE_PORTS.model_copy(update={"redis": port})
            )
            assert (await look(own, "ports")).ok
            assert f"{port} (ports.redis)" in (await look(foreign, "ports")).detail
    finally:
        left.kill_group()
        assert await wait_until(lambda: left.exit_words() is not None, 30.0)


async def test_programs_without_a_supervisor_are_named(tmp_path: Path) -> None:
    files = ProgramFiles(tmp_path)
    files.make_directories()
    wait = [sys.executable, "-c", "import time; time.sleep(60)"]
    left = spawn(Program(wait, str(files.log_path("blue")), 1.0), files.lock_path("blue"))
    config = LocalConfig(state_dir=tmp_path, ports=FREE_PORTS)
    assert "blue" in (await look(config, "left processes")).detail
    left.kill_group()
    assert await wait_until(lambda: left.exit_words() is not None, 5.0)
    assert (await look(config, "left processes")).ok
