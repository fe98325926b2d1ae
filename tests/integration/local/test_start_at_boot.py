"""The units that `isshoni install-service` writes: read by systemd, and their commands run."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from isshoni.environments.local.supervision import supervisor_pid
from tests.support.installation import Installation, installation
from tests.support.local_environments import kill_everything
from tests.support.waiting import wait_until

ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def installed() -> Iterator[Installation]:
    with installation() as made:
        (made.directory / "state").mkdir()
        yield made


def read_unit(installed: Installation, *options: str) -> str:
    """Return the unit of the environment as the command prints it."""
    done = installed.run("install-service", "--print", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def find_value(unit: str, key: str) -> str:
    return next(line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}="))


class Service:
    """Does what systemd does with a unit: its commands, in an almost empty environment."""

    def __init__(self, unit: str, directory: Path) -> None:
        self._unit = unit
        self._directory = directory
        variables = [
            shlex.split(line.partition("=")[2])[0]
            for line in unit.splitlines()
            if line.startswith("Environment=")
        ]
        self._environ = dict(variable.split("=", 1) for variable in variables)
        self.main: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run ExecStart, wait until it is ready (`Type=notify`), and run ExecStartPost."""
        address = self._directory / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            address.unlink(missing_ok=True)
            line.bind(str(address))
            line.settimeout(30)
            self.main = subprocess.Popen(
                shlex.split(find_value(self._unit, "ExecStart")),
                env={**self._environ, "NOTIFY_SOCKET": str(address)},
                cwd=find_value(self._unit, "WorkingDirectory"),
                start_new_session=True,
            )
            assert line.recv(100) == b"READY=1"
        subprocess.run(
            shlex.split(find_value(self._unit, "ExecStartPost")),
            env=self._environ,
            cwd=find_value(self._unit, "WorkingDirectory"),
            check=True,
            timeout=90,
        )

    def stop(self) -> int:
        """Do what `KillMode=process` does; return the exit code."""
        assert self.main is not None
        self.main.send_signal(signal.SIGTERM)
        return self.main.wait(30)


@pytest.fixture
def service(installed: Installation) -> Iterator[Service]:
    made = Service(read_unit(installed), installed.directory)
    yield made
    if made.main is not None:
        with contextlib.suppress(ProcessLookupError):
            made.main.kill()
        made.main.wait()


def test_systemd_accepts_the_units(installed: Installation) -> None:
    if ANALYZE is None:
        pytest.skip("NOT RUN: no systemd-analyze on the PATH (apt-get install systemd)")
    for options in ((), ("--user",)):
        printed = read_unit(installed, "--dashboard", *options)
        paths = []
        for part in printed.split("# isshoni")[1:]:
            name, _, text = part.partition("\n")
            paths.append(installed.directory / f"isshoni{name}")
            paths[-1].write_text(text)
        manager = "--user" if options else "--system"
        done = subprocess.run(
            [ANALYZE, "verify", manager, "--man=no", *paths],
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(installed.directory)},
        )
        assert (done.returncode, done.stderr) == (0, ""), printed


async def test_the_service_continues_what_runs_and_starts_it_after_a_reboot(
    installed: Installation, service: Service
) -> None:
    state_dir = installed.directory / "state"
    await asyncio.to_thread(installed.up)
    before = {name: installed.pid(name) for name in ("redis", "blue", "balancer")}
    service.start()
    assert service.main is not None
    assert supervisor_pid(state_dir) == service.main.pid, "it has replaced the other supervisor"
    assert {name: installed.pid(name) for name in before} == before, "nothing was restarted"
    assert service.stop() == 0
    url = installed.status()["address"]
    async with httpx.AsyncClient() as http:
        assert (await http.get(url)).status_code == 200, "a stop of the service cuts nothing"
    kill_everything(state_dir)  # as a power cut does
    service.start()
    async with httpx.AsyncClient() as http:
        assert (await http.get(url)).status_code == 200
    await asyncio.to_thread(installed.run, "down")
    await wait_until(lambda: service.main and service.main.poll() == 0, "the service has ended")
