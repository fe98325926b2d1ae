"""A real cluster: three primaries, a replica of each if wanted, put together by hand."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from tests.support.valkey import ValkeyServer, find_free_port

SLOTS = 16_384
_OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": "1000",
    "cluster-replica-validity-factor": "0",
}


class RedisCluster:
    """Primaries 0, 1, 2, each with a third of the slots; replicas 3, 4, 5 of them."""

    def __init__(self, directory: Path, *, replicas: bool = False) -> None:
        self._buses = [find_free_port() for _ in range(6 if replicas else 3)]
        self.servers = [
            ValkeyServer(
                directory / str(i), fsync="no", options=_OPTIONS | {"cluster-port": str(bus)}
            )
            for i, bus in enumerate(self._buses)
        ]

    @property
    def primaries(self) -> list[ValkeyServer]:
        return self.servers[:3]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{s.port}" for s in self.servers)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all of it."""
        for server in self.servers:
            server.stop()

    def _start(self) -> None:
        for server in self.servers:
            server.start()
        self._meet()
        for i, server in enumerate(self.primaries):
            first, last = i * SLOTS // 3, (i + 1) * SLOTS // 3 - 1
            ask(server, "CLUSTER", "ADDSLOTSRANGE", first, last)
        for i, replica in enumerate(self.servers[3:]):
            primary_id = node_id(self.servers[i])
            wait_for(lambda replica=replica, p=primary_id: p in known_ids(replica))  # type: ignore[misc]
            ask(replica, "CLUSTER", "REPLICATE", primary_id)
        wait_for(lambda: all("cluster_state:ok" in info(server) for server in self.servers))
        for replica in self.servers[3:]:
            wait_for(lambda replica=replica: ask(replica, "ROLE")[3] == b"connected")  # type: ignore[misc]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _meet(self) -> None:
        first, *others = self.servers
        for i, server in enumerate(self.servers):
            ask(server, "CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server in others:
            ask(server, "CLUSTER", "MEET", "127.0.0.1", first.port, self._buses[0])
        wait_for(lambda: all(len(known_ids(s)) == len(self.servers) for s in self.servers))

    def owner_of(self, slot: int) -> ValkeyServer:
        """Give the server that is the primary of a slot now, as a living one says."""
        for server in self.servers:
            if server.running:
                for first, last, primary, *_ in ask(server, "CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(s for s in self.servers if s.port == primary[1])
        raise LookupError(f"nobody owns slot {slot}")

    def wait_until_replaced(self, number: int) -> None:
        """Wait until the slots of a dead primary have another."""
        slot, dead = number * SLOTS // 3, self.servers[number]
        wait_for(
            lambda: "cluster_state:ok" in info(self.servers[1]) and self.owner_of(slot) is not dead
        )

    def begin_to_move(self, slot: int, source: ValkeyServer, target: ValkeyServer) -> None:
        """Mark a slot as moving; its keys stay where they are."""
        ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(source))
        ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target))

    def move_keys(
        self, slot: int, source: ValkeyServer, target: ValkeyServer, count: int = 1000
    ) -> None:
        """Move up to `count` keys of a slot."""
        keys = ask(source, "CLUSTER", "GETKEYSINSLOT", slot, count)
        if keys:
            ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def end_the_move(self, slot: int, source: ValkeyServer, target: ValkeyServer) -> None:
        """Give a slot to its new owner."""
        for server in (target, source, *self.servers):
            if ask(server, "ROLE")[0] == b"master":
                ask(server, "CLUSTER", "SETSLOT", slot, "NODE", node_id(target))


def ask(server: ValkeyServer, *command: Any) -> Any:
    """Send one command to one server, whatever slots it owns."""
    with redis.Redis(
        port=server.port, password=server.password, socket_timeout=5, protocol=2
    ) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command(*command)
        return connection.read_response()


def node_id(server: ValkeyServer) -> str:
    answer: bytes = ask(server, "CLUSTER", "MYID")
    return answer.decode()


def known_ids(server: ValkeyServer) -> set[str]:
    lines = ask(server, "CLUSTER", "NODES").decode().splitlines()
    return {line.split()[0] for line in lines if "handshake" not in line}


def info(server: ValkeyServer) -> str:
    answer: bytes = ask(server, "CLUSTER", "INFO")
    return answer.decode()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the cluster did not come together"
        time.sleep(0.02)
