"""What the contract suite needs of an environment, real or fake, beyond its ports."""

import sys
from typing import Protocol

from websockets.asyncio.client import ClientConnection

from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.ports import Backends, Compute, Traffic
from tests.support.fake_environment import Behaviour, FakeEnvironment
from tests.support.local_environments import close_all, open_socket, slot_release

GOOD = slot_release("v1")
BETTER = slot_release("v2")
DYING = Release("bad", command=f"{sys.executable} -c 'print(\"cannot start\"); exit(3)'")
SILENT = Release("foreign", command=f"{sys.executable} -m http.server {{port}}", ready_path="/")


class Place(Protocol):
    """An environment that is up with `good` on blue."""

    good: Release
    better: Release
    silent: Release
    """One without an admin API."""

    @property
    def traffic(self) -> Traffic: ...
    @property
    def compute(self) -> Compute: ...
    @property
    def backends(self) -> Backends: ...
    async def connect(self, count: int) -> None: ...
    async def aclose(self) -> None: ...


class FakePlace:
    """The fake world."""

    good, better, silent = GOOD, BETTER, SILENT

    def __init__(self) -> None:
        world = FakeEnvironment()
        world.behave(DYING.label, Behaviour(dies_at_start=True))
        self._world = world
        self.traffic, self.compute, self.backends = world.traffic, world.compute, world.backends

    async def open(self) -> None:
        await self.compute.start("blue", GOOD)

    async def connect(self, count: int) -> None:
        self._world.connect(count)

    async def aclose(self) -> None:
        return


class LocalPlace:
    """A real one: Envoy, Redis, processes."""

    good, better, silent = GOOD, BETTER, SILENT

    def __init__(self, environment: LocalEnvironment) -> None:
        self._environment = environment
        self._sockets: list[ClientConnection] = []
        self.traffic = environment.traffic
        self.compute = environment.compute
        self.backends = environment.backends

    async def open(self) -> None:
        await self._environment.up(Stable("blue", GOOD))

    async def connect(self, count: int) -> None:
        self._sockets += [await open_socket(self._environment) for _ in range(count)]

    async def aclose(self) -> None:
        await close_all(self._sockets)
