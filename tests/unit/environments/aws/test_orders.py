"""An order to the instances of a slot, what the next observation returns, and one that hangs."""

import pytest

from isshoni.environments.aws import backends as module
from isshoni.environments.aws.backends import InstanceBackends
from isshoni.environments.aws.groups import Group, Instance
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.look import is_ready
from isshoni.rollout.model import BackendStatus, Colour, MigrationStatus
from isshoni.rollout.plan import RolloutPlan

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


class TenInstances:
    """Blue with ten instances in service, green with none."""

    async def observe(self) -> dict[Colour, Group]:
        ten = tuple(Instance(f"i-{n}", f"127.0.0.{n}", "InService") for n in range(10))
        return {"blue": Group("v1", 10, ten), "green": Group()}


class OneHangs:
    """A backend; that of the instance `hung` gives no answer."""

    hung: str | None = None

    def __init__(self, urls: dict[Colour, str], *connection: object) -> None:
        self._address = urls["blue"].split(":")[1].removeprefix("//")

    async def status(self, colour: Colour) -> BackendStatus | None:
        if self._address == OneHangs.hung:
            return None
        return BackendStatus("v1", ready=True, draining=False, connections=3, sessions=1,
                             counters={"restores": 5})  # fmt: skip


async def test_an_instance_that_hangs_is_named_and_the_others_are_the_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HttpBackends", OneHangs)
    monkeypatch.setattr(module, "_ONE_LOOK_SECONDS", -1.0)
    port = InstanceBackends(TenInstances(), 9000, lambda: "token")  # type: ignore[arg-type]
    for hung in (None, "127.0.0.4", None):
        monkeypatch.setattr(OneHangs, "hung", hung)
        status = await port.status("blue")
        assert status is not None
        # Its clients may still be there, so a slot with one that hangs is never empty.
        assert (status.connections, status.counters) == (30, {"restores": 50})
        assert is_ready(status, RolloutPlan())
        assert status.ready is (hung is None)
    monkeypatch.setattr(OneHangs, "hung", "127.0.0.4")
    status = await port.status("blue")
    assert status is not None
    assert status.not_ready_reason == "i-4: it does not answer on its admin port"


async def test_an_instance_that_never_answered_may_have_a_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HttpBackends", OneHangs)
    monkeypatch.setattr(OneHangs, "hung", "127.0.0.4")
    port = InstanceBackends(TenInstances(), 9000, lambda: "token")  # type: ignore[arg-type]
    status = await port.status("blue")
    assert status is not None and status.connections == 9 * 3 + 1
