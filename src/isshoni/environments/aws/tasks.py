"""Read what ECS runs on the machines of a slot: restarts, why tasks stopped, who is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.errors import NotThere
from isshoni.environments.aws.outputs import Outputs
from isshoni.rollout.model import Colour

_CALLED_FOR = frozenset({"UserInitiated", "SpotInterruption", "TerminationNotice"})
"""Codes of tasks that were stopped although nothing was wrong with them."""
_DESCRIBED_AT_ONCE = 100
_RUNS = "RUNNING"


@dataclass(frozen=True)
class Tasks:
    """The tasks of a slot since its group was created."""

    restarts: int = 0
    """Tasks that failed, whether or not ECS has started another in their place."""
    last_exit: str | None = None
    """Why the last of them stopped."""
    starting: frozenset[str] = frozenset()
    """The instances that no task has run on yet."""


class EcsTasks:
    """Reads the cluster of each slot; without one, nothing is known."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._clusters = outputs.clusters
        self._instances: dict[str, str] = {}
        """The EC2 instance of each container instance."""
        self._failed: dict[str, set[str]] = {}
        """The failed tasks of each group, by its ARN: ECS forgets a task within the hour."""
        self._last_exits: dict[str, str] = {}

    async def observe(self, colour: Colour, group: Mapping[str, Any]) -> Tasks:
        """Return the tasks of a slot whose Auto Scaling group was described as `group`."""
        if self._clusters is None:
            return Tasks()
        cluster = self._clusters.of(colour)
        try:
            tasks = await self._read(cluster, group["CreatedTime"])
            await self._learn_instances(cluster, tasks)
        except NotThere:
            return Tasks()
        return self._sum_up(str(group["AutoScalingGroupARN"]), group, tasks)

    async def find_container(self, colour: Colour, instance_id: str) -> str | None:
        """Return the container instance of an instance; None if ECS does not know it."""
        if self._clusters is None:
            return None
        found = await self._api.call(
            "ecs",
            "list_container_instances",
            cluster=self._clusters.of(colour),
            filter=f"ec2InstanceId == {instance_id}",
        )
        return next(iter(found["containerInstanceArns"]), None)

    async def drain(self, colour: Colour, instance_id: str) -> None:
        """Have ECS stop the task of an instance, which drains on SIGTERM. Idempotent."""
        container = await self.find_container(colour, instance_id)
        if container is not None and self._clusters is not None:
            await self._api.call(
                "ecs",
                "update_container_instances_state",
                cluster=self._clusters.of(colour),
                containerInstances=[container],
                status="DRAINING",
            )

    async def _read(self, cluster: str, since: datetime) -> list[Answer]:
        """Return the tasks that are there or stopped lately, the oldest first."""
        arns = [
            arn
            for status in (_RUNS, "STOPPED")
            for arn in await self._api.call_all(
                "ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=status
            )
        ]
        tasks: list[Answer] = []
        for start in range(0, len(arns), _DESCRIBED_AT_ONCE):
            some = arns[start : start + _DESCRIBED_AT_ONCE]
            answer = await self._api.call("ecs", "describe_tasks", cluster=cluster, tasks=some)
            tasks += answer["tasks"]
        # The cluster outlives a version: what ran before this group was another one.
        of_group = [task for task in tasks if task["createdAt"] >= since]
        return sorted(of_group, key=lambda task: task["createdAt"])

    async def _learn_instances(self, cluster: str, tasks: Sequence[Answer]) -> None:
        places = {t["containerInstanceArn"] for t in tasks if t.get("containerInstanceArn")}
        if unknown := sorted(places - self._instances.keys())[:_DESCRIBED_AT_ONCE]:
            answer = await self._api.call(
                "ecs", "describe_container_instances", cluster=cluster, containerInstances=unknown
            )
            self._instances |= {
                each["containerInstanceArn"]: each["ec2InstanceId"]
                for each in answer["containerInstances"]
            }

    def _sum_up(self, key: str, group: Mapping[str, Any], tasks: Sequence[Answer]) -> Tasks:
        failed = self._failed.setdefault(key, set())
        for task in tasks:
            if is_failed(task) and task["taskArn"] not in failed:
                failed.add(task["taskArn"])
                self._last_exits[key] = describe_exit(task)
        tried = {
            self._instances.get(task.get("containerInstanceArn", ""))
            for task in tasks
            if task["lastStatus"] in (_RUNS, "STOPPED")
        }
        machines = {each["InstanceId"] for each in group["Instances"]}
        return Tasks(len(failed), self._last_exits.get(key), frozenset(machines - tried))


def is_failed(task: Answer) -> bool:
    """True if a task stopped because of what runs in it, or could not be started."""
    if task["lastStatus"] != "STOPPED":
        return False
    code = task.get("stopCode", "")
    if code in _CALLED_FOR:
        return False
    # ECS itself stops a task whose container hangs; and one whose service or machine is to end.
    return code != "ServiceSchedulerInitiated" or "health check" in task.get("stoppedReason", "")


def describe_exit(task: Answer) -> str:
    """Return why a task stopped: its container's exit code and reason, or ECS's own words."""
    said = str(task.get("stoppedReason") or "ECS gives no reason")
    container: Answer = next(iter(task.get("containers", [])), {})
    parts = []
    if (code := container.get("exitCode")) is not None:
        parts.append(f"exit code {code}")
    parts.append(str(container.get("reason") or said))
    return ": ".join(parts)
