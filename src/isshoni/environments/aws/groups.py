"""Read the Auto Scaling group of each slot, its instances, and the tasks on them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered
from isshoni.environments.aws.tasks import EcsTasks, Tasks
from isshoni.rollout.model import COLOURS, Colour

VERSION_TAG = "isshoni:version"
"""The tag that Terraform sets to the version that a group runs."""
_STARTED_TAG = "isshoni:instances"
"""The tag with the number of instances that a group was started with."""
_LEAVING = "Terminating"
_PROTECTED_AT_ONCE = 50
_GONE = ("shutting-down", "terminated")


@dataclass(frozen=True)
class Instance:
    """One machine of a slot."""

    id: str
    address: str
    """The private address, on which its admin port is reached."""
    state: str
    """Its state in the group, like `InService`, or in EC2 once it has left the group."""
    starting: bool = False
    """True: no program has run on it yet."""

    @property
    def leaving(self) -> bool:
        """True if its group is about to end it: it has no new connections, but may have old."""
        return self.state.startswith(_LEAVING)


@dataclass(frozen=True)
class Group:
    """The group of a slot with its instances."""

    version: str | None = None
    """None: the slot should be empty."""
    wanted: int = 0
    """How many instances should serve; without those that a scale-out is still starting."""
    instances: tuple[Instance, ...] = ()
    fault: str | None = None
    """The group's own reason why it could not start an instance."""
    tasks: Tasks = field(default_factory=Tasks)

    @property
    def serving(self) -> tuple[Instance, ...]:
        """The instances that may get connections."""
        return tuple(i for i in self.instances if i.state == "InService" and not i.starting)

    @property
    def leaving(self) -> tuple[Instance, ...]:
        """The instances that are about to end and may still have connections."""
        return tuple(i for i in self.instances if i.leaving)


class Groups:
    """Reads both groups; a slot without a group is empty."""

    def __init__(self, api: AwsApi, outputs: Outputs, look_seconds: float) -> None:
        self._api = api
        self._names = outputs.autoscaling_group_names
        self._tasks = EcsTasks(api, outputs)
        self._seen = Remembered(self._look, look_seconds)

    async def observe(self) -> Mapping[Colour, Group]:
        """Return the group of each slot."""
        return await self._seen.get()

    def forget(self) -> None:
        """Discard the remembered groups: the next observation reads again."""
        self._seen.forget()

    async def protect(self, colour: Colour, protected: bool) -> None:
        """Keep a slot's instances from being scaled in, or allow that again. Idempotent."""
        name = self._names.of(colour)
        group = await self._describe(colour)
        if group is None:
            return
        await self._api.call(
            "autoscaling",
            "update_auto_scaling_group",
            AutoScalingGroupName=name,
            NewInstancesProtectedFromScaleIn=protected,
        )
        ids = [
            i["InstanceId"]
            for i in group["Instances"]
            if i["LifecycleState"] == "InService"
            and i.get("ProtectedFromScaleIn", False) != protected
        ]
        for start in range(0, len(ids), _PROTECTED_AT_ONCE):
            try:
                await self._api.call(
                    "autoscaling",
                    "set_instance_protection",
                    AutoScalingGroupName=name,
                    InstanceIds=ids[start : start + _PROTECTED_AT_ONCE],
                    ProtectedFromScaleIn=protected,
                )
            except AwsFault as fault:
                if fault.code != "ValidationError":  # one of them has just begun to end
                    raise

    async def _look(self) -> Mapping[Colour, Group]:
        described = {colour: await self._describe(colour) for colour in COLOURS}
        ids = [i["InstanceId"] for group in described.values() if group for i in group["Instances"]]
        addresses = await self._find_addresses(ids)
        read = await asyncio.gather(*(self._read(c, described[c], addresses) for c in COLOURS))
        return dict(zip(COLOURS, read, strict=True))

    async def _describe(self, colour: Colour) -> dict[str, Any] | None:
        answer = await self._api.call(
            "autoscaling",
            "describe_auto_scaling_groups",
            AutoScalingGroupNames=[self._names.of(colour)],
        )
        return next(iter(answer["AutoScalingGroups"]), None)

    async def _find_addresses(self, ids: list[str]) -> dict[str, str]:
        """Return the private address of each instance that still exists."""
        if not ids:
            return {}
        # By a filter, not by id: an id that has just disappeared would make the whole call fail.
        wanted = [{"Name": "instance-id", "Values": ids}]
        found = await self._api.call_all(
            "ec2", "describe_instances", "Reservations", Filters=wanted
        )
        return {
            instance["InstanceId"]: instance["PrivateIpAddress"]
            for reservation in found
            for instance in reservation["Instances"]
            if instance.get("PrivateIpAddress") and instance["State"]["Name"] not in _GONE
        }

    async def _read(
        self, colour: Colour, group: dict[str, Any] | None, addresses: Mapping[str, str]
    ) -> Group:
        if group is None:
            return Group()
        tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", [])}
        # A group from before ECS has no tasks on its instances.
        by_ecs = _STARTED_TAG in tags
        tasks = await self._tasks.observe(colour, group) if by_ecs else Tasks()
        instances = tuple(
            Instance(id, addresses[id], i["LifecycleState"], id in tasks.starting)
            for i in group["Instances"]
            if (id := i["InstanceId"]) in addresses
        )
        desired = int(group["DesiredCapacity"])
        return Group(
            # A group without instances is an empty slot even if it still has the tag: Terraform
            # may have been killed between the two changes.
            version=(tags.get(VERSION_TAG) or None) if desired else None,
            wanted=count_wanted(desired, tags.get(_STARTED_TAG, ""), instances),
            instances=instances,
            fault=await self._find_fault(colour) if desired > len(instances) else None,
            tasks=tasks,
        )

    async def _find_fault(self, colour: Colour) -> str | None:
        """Return why the group's last attempt to start an instance failed; None if it did not."""
        answer = await self._api.call(
            "autoscaling",
            "describe_scaling_activities",
            AutoScalingGroupName=self._names.of(colour),
            MaxRecords=1,
        )
        last: Answer = next(iter(answer["Activities"]), {})
        failed = last.get("StatusCode") in ("Failed", "Cancelled")
        return str(last.get("StatusMessage") or "no reason given") if failed else None


def count_wanted(desired: int, started: str, instances: tuple[Instance, ...]) -> int:
    """Return how many instances should serve: those that it was started with, and came since.

    While a scale-out starts more of them, the others still are the whole slot.
    """
    if not started.isdecimal():
        return desired
    ready = sum(not i.starting and not i.leaving for i in instances)
    return min(desired, max(int(started), ready))
