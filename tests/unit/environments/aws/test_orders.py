"""An order to the instances of a colour, and what the next look at them returns."""

import pytest

from isshoni.environments.aws import backends as module
from isshoni.environments.aws.backends import InstanceBackends
from isshoni.environments.aws.groups import Group, Instance
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import BackendStatus, Colour, MigrationStatus

ORDERED = MigrationStatus("green", 0, 0, 0, remaining=2, done=False, rate_per_second=10)


class OneInstance:
    """Both colours with the same instance in service."""

    async def observe(self) -> dict[Colour, Group]:
        group = Group("v1", 1, (Instance("i-1", "127.0.0.1", "InService"),))
        return {"blue": group, "green": group}


class Backend:
    """A backend that obeys at once, and may then lose its answer."""

    migration: MigrationStatus | None = None
    loses_answers = False

    def __init__(self, *connection: object) -> None:
        """Accept the arguments of `HttpBackends`, and ignore them."""

    async def status(self, colour: Colour) -> BackendStatus:
        return BackendStatus(
            version="v1", ready=True, draining=False, connections=2, sessions=1,
            counters={}, gauges={}, migration=Backend.migration,
        )  # fmt: skip

    async def migrate(self, colour: Colour, to: Colour, **how: float) -> None:
        Backend.migration = ORDERED
        self._answer()

    async def cancel_migration(self, colour: Colour) -> None:
        Backend.migration = None
        self._answer()

    def _answer(self) -> None:
        if Backend.loses_answers:
            raise EnvironmentFault("the answer was lost")


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch) -> InstanceBackends:
    """Return the port with looks that would be remembered for a minute."""
    monkeypatch.setattr(module, "HttpBackends", Backend)
    monkeypatch.setattr(module, "_ONE_LOOK_SECONDS", 60.0)
    monkeypatch.setattr(Backend, "migration", None)
    monkeypatch.setattr(Backend, "loses_answers", False)
    return InstanceBackends(OneInstance(), 9000, lambda: "token")  # type: ignore[arg-type]


async def moving(instances: InstanceBackends) -> bool:
    status = await instances.status("blue")
    assert status is not None
    return status.migration is not None


@pytest.mark.parametrize("loses_answers", [False, True])
async def test_a_request_is_seen_by_the_next_observation(
    instances: InstanceBackends, loses_answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backend, "loses_answers", loses_answers)
    assert not await moving(instances)
    for order, expected in (
        (instances.migrate("blue", "green", rate_per_second=10, within_seconds=5), True),
        (instances.cancel_migration("blue"), False),
    ):
        if loses_answers:
            with pytest.raises(EnvironmentFault, match="lost"):
                await order
        else:
            await order
        assert await moving(instances) is expected
