"""The machines of a slot on AWS: containers that die or hang, and the scaling of a slot."""

import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import COLOURS, Colour, SlotState
from isshoni.rollout.plan import RolloutPlan
from tests.contract.aws_place import AwsPlace, open_place
from tests.support.aws.installation import StagingCommand
from tests.support.aws.machines import Machine

PLAN = RolloutPlan(migrate_within_seconds=5.0)


@pytest.fixture
async def place(stage: StagingCommand) -> AsyncIterator[AwsPlace]:
    """Provide the environment with `good` on blue."""
    place = await open_place(stage)
    yield place
    await place.aclose()


async def seen(place: AwsPlace, colour: Colour) -> SlotState:
    return (await place.compute.observe_slots())[colour]


def read_group(place: AwsPlace, colour: Colour) -> dict[str, Any]:
    name = place.stage.outputs["autoscaling_group_names"][colour]
    found = place.stage.stand_in.api.call_now(
        "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name]
    )
    group: dict[str, Any] = found["AutoScalingGroups"][0]
    return group


async def test_a_container_that_dies_is_started_again_and_says_why(place: AwsPlace) -> None:
    await place.compute.start("green", place.dying)

    why = 'exit code 3: Essential container in task exited; its log ends with "cannot start"'

    async def died() -> bool:
        state = await seen(place, "green")
        return state.restarts > 0 and state.last_exit == why

    assert await wait_until(died, 60.0), await seen(place, "green")
    assert (await seen(place, "green")).running


async def test_a_container_that_hangs_is_replaced(place: AwsPlace) -> None:
    await place.compute.start("green", place.better)
    assert await wait_until(lambda: answers(place, "green"), 60.0)
    (machine,) = [
        m for m in place.stage.stand_in.machines.running.values() if m.instance.colour == "green"
    ]
    assert await wait_until(lambda: is_checked(machine), 60.0)
    assert (await seen(place, "green")).restarts == 0
    machine.process.send_signal(signal.SIGSTOP)

    async def replaced() -> bool:
        state = await seen(place, "green")
        return state.restarts == 1 and "health checks" in (state.last_exit or "")

    assert await wait_until(replaced, 60.0)
    assert await wait_until(lambda: answers(place, "green"), 60.0)


async def is_checked(machine: Machine) -> bool:
    return machine.healthy


async def answers(place: AwsPlace, colour: Colour) -> bool:
    return await place.backends.status(colour) is not None


async def test_a_scale_out_is_followed_and_a_scale_in_empties_machines_first(
    place: AwsPlace,
) -> None:
    scale(place, 3)

    async def scaled_out() -> bool:
        status = await place.backends.status("blue")
        return status is not None and len(status.processes) == 3

    assert await wait_until(scaled_out, 60.0)
    # A candidate starts with as many; neither shrinks before the rollout has ended.
    await place.compute.start("green", place.better)
    assert read_group(place, "green")["DesiredCapacity"] == 3
    assert [is_protected(place, colour) for colour in COLOURS] == [True, True]
    await place.compute.stop("green")
    assert not is_protected(place, "blue")
    await place.connect(6)
    scale(place, 1)

    async def leave() -> bool:
        return len(await place.leaving.find()) == 2

    assert await wait_until(leave, 60.0)
    ended = await place.leaving.evacuate(PLAN)
    assert all(line.endswith(" connections moved; it ends") for line in ended), ended
    (left,) = read_group(place, "blue")["Instances"]
    assert left["LifecycleState"] == "InService"
    assert await place.leaving.find() == []


def scale(place: AwsPlace, machines: int) -> None:
    """Do what a scaling policy of blue does."""
    name = place.stage.outputs["autoscaling_group_names"]["blue"]
    place.stage.stand_in.api.call_now(
        "autoscaling",
        "set_desired_capacity",
        AutoScalingGroupName=name,
        DesiredCapacity=machines,
    )


def is_protected(place: AwsPlace, colour: Colour) -> bool:
    """True if no machine of a slot, nor one that comes, may be scaled in."""
    group = read_group(place, colour)
    each = [instance["ProtectedFromScaleIn"] for instance in group["Instances"]]
    assert len({group["NewInstancesProtectedFromScaleIn"], *each}) == 1
    return bool(each[0])
