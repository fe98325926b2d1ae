"""The programs of a measurement: Valkey, a server, the load generator."""

import contextlib
import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from benchmarks.side_by_side.cores import Cores, started_on
from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.folder import Folder
from benchmarks.side_by_side.peers import Peer, command_of
from tests.support.valkey import ValkeyServer, find_free_port

START_SECONDS = 60.0
ANSWER_SECONDS = 180.0


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    folder: Folder
    cores: Cores
    generator: Path
    valkey: ValkeyServer
    valkey_pid: int
    directory: Path
    realtime: bool = False
    """True if no other program may delay them while latency is measured."""


@contextlib.contextmanager
def bench(folder: Folder, cores: Cores, *, realtime: bool = False) -> Iterator[Bench]:
    """Start Valkey beside the load, with its log synced every second."""
    generator = folder.build_generator()
    with tempfile.TemporaryDirectory(prefix="peers-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        with started_on(cores.load):
            valkey = stack.enter_context(ValkeyServer(directory / "valkey", fsync="everysec"))
        pid = int(valkey.command("INFO", "server").split(b"process_id:")[1].split(b"\r")[0])
        yield Bench(folder, cores, generator, valkey, pid, directory, realtime)


class Server:
    """One process of a peer, bound to the server's core, except for a deploy."""

    def __init__(self, bench: Bench, peer: Peer, *, deploy: bool = False) -> None:
        self.peer = peer
        self.port = find_free_port()
        self._log = bench.directory / f"{peer.name}-{self.port}.log"
        command, extra = command_of(peer, bench.folder, self.port, bench.valkey.url, deploy=deploy)
        # A deploy has two servers and a balancer: they share the cores as they would anywhere.
        bound = contextlib.nullcontext() if deploy else started_on(bench.cores.server)
        with self._log.open("ab") as log, bound:
            self.process = subprocess.Popen(
                command,
                cwd=None if peer.runtime == "isshoni" else bench.directory,
                env=os.environ | extra,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        """Wait for its health check; raises `Unavailable` with its log if it ends or hangs."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-2000:]
                raise Unavailable(f"{self.peer.name} did not start; its log ends with:\n{said}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port}{self.peer.health}"
            return httpx.get(url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(bench: Bench, peer: Peer) -> Iterator[Server]:
    """Run a peer for the length of a block."""
    server = Server(bench, peer)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


class Generator:
    """One run of the load generator, bound to the load's core."""

    def __init__(self, bench: Bench, server: Server, **options: object) -> None:
        settings = {
            "port": server.port,
            "protocol": server.peer.protocol,
            "run": secrets.token_hex(3),
            **options,
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        with started_on(bench.cores.load):
            self.process = subprocess.Popen(
                [str(bench.generator), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def read(self) -> dict[str, Any]:
        """Return its next line; raises `Unavailable` with its error if it ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, said = self.process.communicate(timeout=10)
            raise Unavailable(f"the load generator failed: {said.strip()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def proceed(self) -> None:
        """Let it go on to its next part."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
