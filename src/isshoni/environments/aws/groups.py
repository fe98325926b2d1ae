"""Read the Auto Scaling group of each slot, and the instances in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.remembered import Remembered
from isshoni.rollout.model import COLOURS, Colour

VERSION_TAG = "isshoni:version"
"""The tag that Terraform sets to the version that a group runs."""
_GONE = ("shutting-down", "terminated")


@dataclass(frozen=True)
class Instance:
    """One machine of a slot."""

    id: str
    address: str
    """The private address, on which its admin port is reached."""
    state: str
    """Its state in the group, like `InService`, or in EC2 once it has left the group."""


@dataclass(frozen=True)
class Group:
    """The group of a slot with its instances."""

    version: str | None = None
    """None: the slot should be empty."""
    wanted: int = 0
    instances: tuple[Instance, ...] = ()
    fault: str | None = None
    """The group's own reason why it could not start an instance."""

    @property
    def serving(self) -> tuple[Instance, ...]:
        """The instances that may have connections."""
        return tuple(i for i in self.instances if i.state == "InService")

    @property
    def is_whole(self) -> bool:
        """True if all the instances that it should have are in service."""
        return 0 < self.wanted <= len(self.serving)


class Groups:
    """Reads both groups; a slot without a group is empty."""

    def __init__(self, api: AwsApi, outputs: Outputs, look_seconds: float) -> None:
        self._api = api
        self._names = outputs.autoscaling_group_names
        self._seen = Remembered(self._look, look_seconds)

    async def observe(self) -> Mapping[Colour, Group]:
        """Return the group of each slot."""
        return await self._seen.get()

    def forget(self) -> None:
        """Discard the remembered groups: the next observation reads again."""
        self._seen.forget()

    async def _look(self) -> Mapping[Colour, Group]:
        described = {colour: await self._describe(colour) for colour in COLOURS}
        ids = [i["InstanceId"] for group in described.values() if group for i in group["Instances"]]
        addresses = await self._find_addresses(ids)
        return {
            colour: await self._read(colour, group, addresses)
            for colour, group in described.items()
        }

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
        instances = tuple(
            Instance(i["InstanceId"], addresses[i["InstanceId"]], i["LifecycleState"])
            for i in group["Instances"]
            if i["InstanceId"] in addresses
        )
        wanted = int(group["DesiredCapacity"])
        tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", [])}
        starting = wanted > len(instances)
        return Group(
            # A group without instances is an empty slot even if it still has the tag: Terraform
            # may have been killed between the two changes.
            version=(tags.get(VERSION_TAG) or None) if wanted else None,
            wanted=wanted,
            instances=instances,
            fault=await self._find_fault(colour) if starting else None,
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
