"""Each contract test runs over the fake environment, the real local one, and AWS."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.contract.aws_place import aws_stage, open_place
from tests.contract.environments import FakePlace, LocalPlace, Place
from tests.support.aws.installation import StagingCommand
from tests.support.local_environments import local_environment


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory, aws_endpoint: str) -> Iterator[StagingCommand]:
    """Give what stands in for an account, to all tests here: one of it takes a while."""
    with aws_stage(tmp_path_factory.mktemp("stage"), aws_endpoint) as stage:
        yield stage


@pytest.fixture(params=["fake", "local", "aws"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Give an environment that is up, with a good release on blue."""
    if request.param == "aws":
        place = await open_place(request.getfixturevalue("stage"))
        yield place
        await place.aclose()
        return
    async with _open(request.param) as opened:
        yield opened


@pytest.fixture(params=["fake", "local"])
async def supervised(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Give one that restarts programs itself, and whose balancer has a colour stand in.

    On AWS Docker does the one, and nobody the other: an empty target group answers 503.
    """
    async with _open(request.param) as opened:
        yield opened


@asynccontextmanager
async def _open(kind: str) -> AsyncIterator[Place]:
    if kind == "fake":
        fake = FakePlace()
        await fake.open()
        yield fake
        return
    async with local_environment() as environment:
        local = LocalPlace(environment)
        await local.open()
        yield local
        await local.aclose()
        await environment.down()
