"""Two regions on one machine: a primary and its replica, and a backend at each."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer


@dataclass
class TestRegion:
    """One region: its Redis and one backend."""

    __test__ = False

    name: str
    redis: ValkeyServer
    backend: BackendProcess

    def status(self) -> dict[str, Any]:
        region: dict[str, Any] = self.backend.status()["region"]
        return region

    def set(self, term: int, writer: str | None) -> dict[str, Any]:
        """Set the record here; return the region's status."""
        answer = self.backend.admin("POST", "/admin/region", {"term": term, "writer": writer})
        assert answer.status_code == 200, answer.text
        region: dict[str, Any] = answer.json()
        return region

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Poll the status until a condition holds for it; return it."""
        deadline = time.monotonic() + 30.0
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return status

    def follow(self, other: "TestRegion") -> None:
        """Make its Redis a replica of another region's."""
        self.redis.command("REPLICAOF", "127.0.0.1", str(other.redis.port))
        self.wait_for(lambda status: status["lag"]["link"] == "up")

    def promote(self) -> None:
        """Make its Redis a primary."""
        self.redis.command("REPLICAOF", "NO", "ONE")

    def request(self, method: str, path: str) -> httpx.Response:
        """Send a request to the public port."""
        return httpx.request(method, self.backend.url + path, timeout=15)

    @property
    def address(self) -> str:
        return self.backend.url


def fail_over(old: TestRegion, new: TestRegion) -> None:
    """Make `new` the region that writes, in the order of a planned failover."""
    term = old.status()["term"]
    stamp = old.set(term + 1, None)["stamp"]
    new.wait_for(lambda status: status["term"] == term + 1 and status["stamp"] >= stamp)
    new.promote()
    new.set(term + 2, new.name)
    new.backend.wait_until_ready()
    old.follow(new)
    old.wait_for(lambda status: status["state"] == "standby")


def settle(east: TestRegion, west: TestRegion) -> None:
    """Bring both back to the beginning: east writes, west follows and is ready to take over."""
    now = east.status()
    if now["redis_role"] == "slave":
        fail_over(west, east)
    elif now["writer"] != "east":
        east.set(max(now["term"], west.status()["term"]) + 1, "east")
    if west.status()["redis_role"] != "slave":
        west.follow(east)
    east.backend.wait_until_ready()
    west.wait_for(lambda status: status["standby_ready"])


@contextmanager
def two_regions(directory: Path, **extra: Any) -> Iterator[tuple[TestRegion, TestRegion]]:
    """Start east, which writes, and west, whose Redis is a replica; end both afterwards."""
    options = {"repl-diskless-sync-delay": "0"}  # by default a replica waits 5 s for others
    primary = ValkeyServer(directory / "east", fsync="no", options=options)
    replica = ValkeyServer(directory / "west", fsync="no", options=options)
    with primary, replica:
        replica.command("REPLICAOF", "127.0.0.1", str(primary.port))
        regions = [
            TestRegion(
                name,
                redis,
                BackendProcess(redis.url, directory / f"{name}.log", ISSHONI_REGION=name, **extra),
            )
            for name, redis in (("east", primary), ("west", replica))
        ]
        east, west = regions
        for one, other in ((east, west), (west, east)):
            one.backend.set_variable("ISSHONI_REGION_ALTERNATIVES", other.address)
        with east.backend, west.backend:
            east.set(1, "east")
            east.backend.wait_until_ready()
            west.wait_for(lambda status: status["standby_ready"])
            yield east, west
