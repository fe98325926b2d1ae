"""The contract of the port `Processes`."""

from collections.abc import AsyncIterator

import pytest

from isshoni.engine.processes import Processes
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Stable
from tests.contract.environments import GOOD
from tests.support.fake_processes import FakeProcesses
from tests.support.local_environments import FREE_PORTS, state_directory


@pytest.fixture(params=["fake", "local"])
async def processes(request: pytest.FixtureRequest) -> AsyncIterator[Processes]:
    """The processes of an environment with two on blue, and none on green."""
    if request.param == "fake":
        yield FakeProcesses(blue_0=0, blue_1=0)
        return
    with state_directory() as state_dir:
        config = LocalConfig(state_dir=state_dir, ports=FREE_PORTS, processes=2)
        environment = LocalEnvironment(config)
        await environment.up(Stable("blue", GOOD))
        yield environment.processes


async def test_each_process_is_observed_by_its_name(processes: Processes) -> None:
    found = await processes.observe("blue")
    assert [(each.name, each.version, each.ready) for each in found] == [
        ("blue-0", "v1", True),
        ("blue-1", "v1", True),
    ]
    assert not await processes.observe("green")


async def test_a_mark_is_verified_and_undone(processes: Processes) -> None:
    async def is_evacuated() -> bool:
        return await processes.verify_evacuated("blue") == {"blue-1"}

    async def none_is() -> bool:
        return not await processes.verify_evacuated("blue")

    assert await none_is()
    processes.mark_evacuated("blue-1", True)
    assert await wait_until(is_evacuated, 30.0)
    assert [each.evacuated for each in await processes.observe("blue")] == [False, True]
    processes.mark_evacuated("blue-1", False)
    assert await wait_until(none_is, 30.0)


async def test_an_order_is_reported_until_it_is_cancelled(processes: Processes) -> None:
    await processes.move("blue-1", "blue", rate_per_second=10, within_seconds=5)
    one, two = await processes.observe("blue")
    assert one.migration is None and two.migration is not None
    assert (two.migration.to, two.migration.rate_per_second) == ("blue", 10)
    await processes.move("blue-1", "blue-0", rate_per_second=20, within_seconds=5, share_pct=50)
    two = (await processes.observe("blue"))[1]
    assert two.migration is not None
    assert (two.migration.to, two.migration.share_pct) == ("blue-0", 50)
    for _ in range(2):
        await processes.cancel("blue-1")
    assert (await processes.observe("blue"))[1].migration is None


async def test_a_process_that_does_not_exist_is_refused(processes: Processes) -> None:
    with pytest.raises(EnvironmentFault):
        processes.mark_evacuated("yellow-1", True)
    with pytest.raises(EnvironmentFault):
        await processes.move("blue-7", "blue", rate_per_second=10, within_seconds=5)
