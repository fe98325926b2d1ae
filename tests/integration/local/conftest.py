"""Real environments: one that is up, and one that is not yet."""

from collections.abc import AsyncIterator

import pytest

from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import eventually_healthy, local_environment, slot_release


@pytest.fixture
async def environment() -> AsyncIterator[LocalEnvironment]:
    """An environment that nobody has brought up."""
    async with local_environment() as environment:
        yield environment


@pytest.fixture
def v1(environment: LocalEnvironment) -> Release:
    """A release of the test program; it bends to files in the state directory."""
    return slot_release("v1", environment.config.state_dir)


@pytest.fixture
def v2(environment: LocalEnvironment) -> Release:
    """Another one."""
    return slot_release("v2", environment.config.state_dir)


@pytest.fixture
async def running(environment: LocalEnvironment, v1: Release, v2: Release) -> LocalEnvironment:
    """An environment with v1 on blue, v2 on green, and all weight on blue."""
    await environment.up(Stable("blue", v1))
    await environment.compute.start("green", v2)
    await eventually_healthy(environment, blue=True, green=True)
    return environment
