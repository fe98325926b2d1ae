"""Each contract test runs over the fake environment and the real local one."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.environments import FakePlace, LocalPlace, Place
from tests.support.local_environments import local_environment


@pytest.fixture(params=["fake", "local"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Give an environment that is up, with a good release on blue."""
    if request.param == "fake":
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
