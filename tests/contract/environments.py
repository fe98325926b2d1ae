"""What the contract suite needs of an environment, real or fake, beyond its ports."""

import sys
from typing import Protocol

from websockets.asyncio.client import ClientConnection

from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import BackendStatus, Colour, Release, Stable
from isshoni.rollout.ports import Backends, Compute, Traffic
from tests.support.fake_environment import FakePorts, Slot, World
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


class TickingPorts(FakePorts):
    """Fake ports whose world goes on by a little at each look, as a real one does."""

    async def status(self, colour: Colour) -> BackendStatus | None:
        self.world.tick(0.05)
        return await super().status(colour)


class FakePlace:
    """The fake world, in which a program serves as soon as it is started."""

    good, better, silent = GOOD, BETTER, SILENT

    def __init__(self) -> None:
        self._world = World(clients=0)
        self._world.slots["blue"] = Slot()
        self._world.boot_seconds = 0.0
        self._world.cannot_start.add(DYING.label)
        self.traffic = self.compute = self.backends = TickingPorts(self._world)

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
