"""The environment on AWS, for the contract suite: its ports over the stand-in."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect

from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.environment import AwsEnvironment, open_environment
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Release, SlotState, Weights
from tests.support.aws.account import ADMIN_PORT, BACKEND_PORT
from tests.support.aws.installation import StagingCommand, staging
from tests.support.aws.moto_server import REGION
from tests.support.local_environments import close_all

_PROGRAM = Path(__file__).parents[1] / "support" / "slot_program.py"
IMAGES = {
    **{
        f"v{number}": [sys.executable, str(_PROGRAM), str(BACKEND_PORT), str(ADMIN_PORT), colour]
        for number, colour in enumerate(("blue", "green"), start=1)
    },
    "dying": [sys.executable, "-c", "print('cannot start'); exit(3)"],
    "foreign": [sys.executable, "-m", "http.server", str(BACKEND_PORT)],
}


class AwsPlace:
    """One stand-in, brought back to how it was before each test."""

    good, better, silent = Release("v1"), Release("v2"), Release("foreign")
    dying = Release("dying")

    def __init__(self, stage: StagingCommand, environment: AwsEnvironment) -> None:
        self.stage = stage
        self._environment = environment
        self._sockets: list[ClientConnection] = []
        self.traffic = environment.traffic
        self.compute = environment.compute
        self.backends = environment.backends
        self.leaving = environment.leaving

    async def open(self) -> None:
        await self.compute.stop("green")
        if (await self.compute.observe_slots())["blue"] == SlotState():
            await self.compute.start("blue", self.good)
        await self.traffic.apply_weights(Weights(100, 0))
        assert await wait_until(self._is_ready, 30.0)

    async def _is_ready(self) -> bool:
        healthy = (await self.traffic.observe_health())["blue"]
        return healthy and await self.backends.status("blue") is not None

    async def connect(self, count: int) -> None:
        url = self.stage.stand_in.url.replace("http", "ws", 1)
        opened = [await connect(f"{url}/ws/test", ping_interval=None) for _ in range(count)]
        self._sockets += opened
        assert await wait_until(self._are_seen, 30.0)

    async def _are_seen(self) -> bool:
        """Wait for the next look: one serves whoever asks at nearly the same time."""
        statuses = [await self.backends.status(colour) for colour in COLOURS]
        return sum(s.connections for s in statuses if s) == len(self._sockets)

    async def aclose(self) -> None:
        await close_all(self._sockets)
        assert await wait_until(self._is_left, 30.0)

    async def _is_left(self) -> bool:
        """See the next test off to a fresh start: nobody on blue, and nobody leaving it."""
        with contextlib.suppress(EnvironmentFault):
            await self.backends.cancel_migration("blue")
        status = await self.backends.status("blue")
        return status is not None and status.connections == 0 and status.migration is None


async def open_place(stage: StagingCommand) -> AwsPlace:
    """Open the environment as the command does."""
    config = AwsConfig(
        kind="aws",
        terraform=stage.composition,
        name=stage.name,
        region=REGION,
        terraform_program=stage.program,
        look_seconds=0.1,
    )
    place = AwsPlace(stage, await open_environment(config, lambda step: None))
    await place.open()
    return place


@contextlib.contextmanager
def aws_stage(directory: Path, endpoint: str) -> Iterator[StagingCommand]:
    """Make the stand-in, and have this process speak to it."""
    with staging(directory, endpoint, machines=1) as stage, pytest.MonkeyPatch.context() as patch:
        stage.stand_in.machines.images |= IMAGES
        patch.setenv("AWS_ENDPOINT_URL", stage.stand_in.front.url)
        yield stage
