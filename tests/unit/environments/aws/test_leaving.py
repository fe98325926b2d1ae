"""Machines that are about to end: where their sessions go, and when they may end."""

from dataclasses import replace
from typing import Any, cast

import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.backends import InstanceBackends, add_leaving
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.groups import Group, Groups, Instance
from isshoni.environments.aws.leaving import LeavingInstances
from isshoni.environments.aws.outputs import ByColour, Outputs
from isshoni.rollout.model import BackendStatus, Colour, ProcessStatus
from isshoni.rollout.plan import RolloutPlan

BOTH = ByColour("t-blue", "t-green")
OUTPUTS = Outputs("eu-west-1", "https://a", "l", BOTH, BOTH, BOTH, BOTH, "table", "s", "topic")
LEAVING = Instance("i-1", "10.0.0.1", "Terminating:Wait")
STAYING = Instance("i-2", "10.0.0.2", "InService")


def a_status(connections: int = 0, **changes: Any) -> BackendStatus:
    whole: dict[str, Any] = {
        "version": "v1", "ready": True, "draining": False, "connections": connections,
        "sessions": connections, "counters": {}, "gauges": {}, **changes,
    }  # fmt: skip
    return BackendStatus(**whole)


class Account:
    """Blue with one machine that leaves; its sessions go at the first order."""

    def __init__(self, *staying: Instance, green: Group = Group()) -> None:  # noqa: B008
        self.groups = {"blue": Group("v1", 1, (LEAVING, *staying)), "green": green}
        self.connections: int | None = 5
        self.orders: list[str] = []
        self.completed: list[str] = []
        self.refusal: AwsFault | None = None
        self.now = 0.0

    # Groups
    async def observe(self) -> dict[str, Group]:
        return self.groups

    def forget(self) -> None:
        return

    # Backends, and the one of the machine
    def connect(self, colour: Colour, instance: Instance) -> "Machine":
        return Machine(self)

    async def status(self, colour: Colour) -> BackendStatus | None:
        serving = self.groups[colour].serving
        processes = tuple(ProcessStatus(i.id, version="v1", ready=True) for i in serving)
        return a_status(processes=processes) if serving else None

    # The API
    async def call(self, service: str, operation: str, **asked: Any) -> dict[str, Any]:
        assert operation == "complete_lifecycle_action"
        self.completed.append(asked["InstanceId"])
        if self.refusal:
            raise self.refusal
        return {}

    # The clock
    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Machine:
    """The admin port of the machine that leaves; it ends once it is empty."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def status(self, colour: Colour) -> BackendStatus | None:
        connections = self._account.connections
        if connections is None:
            return None
        if connections == 0:
            self._account.connections = None
        return a_status(connections)

    async def migrate(self, colour: Colour, to: Colour, **how: float) -> None:
        self._account.orders.append(to)
        self._account.connections = 0


class Clock:
    def __init__(self, account: Account) -> None:
        self._account = account

    def now(self) -> float:
        return self._account.now

    async def sleep(self, seconds: float) -> None:
        await self._account.sleep(seconds)


def leaving(account: Account, **settings: float) -> LeavingInstances:
    return LeavingInstances(
        cast(AwsApi, account),
        OUTPUTS,
        groups=cast(Groups, account),
        backends=cast(InstanceBackends, account),
        clock=Clock(account),
        **settings,
    )


async def test_sessions_go_to_the_machines_of_the_same_slot() -> None:
    account = Account(STAYING)
    assert await leaving(account).find() == ["blue i-1"]
    done = await leaving(account).evacuate(RolloutPlan())
    assert done == ["blue i-1: 5 connections moved; it ends"]
    assert (account.orders, account.completed) == (["blue"], ["i-1"])


async def test_the_last_machine_of_a_slot_sends_its_sessions_to_the_other_one() -> None:
    account = Account(green=Group("v2", 1, (replace(STAYING, id="i-9"),)))
    await leaving(account).evacuate(RolloutPlan())
    assert account.orders == ["green"]


async def test_without_a_machine_to_go_to_its_program_drains_in_the_end() -> None:
    account = Account()
    (line,) = await leaving(account, evacuate_seconds=5.0).evacuate(RolloutPlan())
    assert line.startswith("blue i-1: not empty after 5 s")
    assert (account.orders, account.completed) == ([], ["i-1"])


async def test_a_machine_is_let_go_only_once_its_group_waits_for_that() -> None:
    account = Account(STAYING)
    still = replace(LEAVING, state="Terminating")
    account.groups["blue"] = Group("v1", 1, (still, STAYING))
    (line,) = await leaving(account).evacuate(RolloutPlan())
    assert "it is Terminating and ends with the next call" in line
    assert account.completed == []


@pytest.mark.parametrize(
    ("code", "said"),
    [("ValidationError", "it ends"), ("AccessDenied", "AWS complete_lifecycle_action failed")],
)
async def test_a_machine_that_another_call_has_let_go_is_no_fault(code: str, said: str) -> None:
    account = Account(STAYING)
    account.refusal = AwsFault("complete_lifecycle_action", "no", code)
    (line,) = await leaving(account).evacuate(RolloutPlan())
    assert said in line


def test_connections_on_machines_that_leave_count_as_those_of_the_slot() -> None:
    """Or a slot with users on them would be stopped as empty."""
    whole = add_leaving(a_status(3), [a_status(2, ready=False)])
    assert (whole.connections, whole.sessions, whole.ready) == (5, 5, True)
