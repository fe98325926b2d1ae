"""Read what ECS runs on the machines of a slot: restarts, why tasks stopped, who is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.errors import NotThere
from isshoni.environments.aws.last_words import LastWords
from isshoni.environments.aws.outputs import Outputs
from isshoni.rollout.model import Colour

_CALLED_FOR = frozenset({"UserInitiated", "SpotInterruption", "TerminationNotice"})
"""Codes of tasks that were stopped although nothing was wrong with them."""
_DESCRIBED_AT_ONCE = 100
_RUNS = "RUNNING"
_SERVICE = "backend"
"""The name of the service of each slot, which Terraform gives it."""
_UNPLACED = "unable to place"
_PLACED = ("has started", "steady state")


@dataclass(frozen=True)
class Tasks:
    """The tasks of a slot since its group was created."""

    restarts: int = 0
    """Tasks that failed, whether or not ECS has started another in their place."""
    last_exit: str | None = None
    """Why the last of them stopped."""
    starting: frozenset[str] = frozenset()
    """The instances that no task has run on yet."""
    unplaced: str | None = None
    """Why ECS could place no task on them, in its own words; None if it does not say."""


class EcsTasks:
    """Reads the cluster of each slot; without one, nothing is known."""

    def __init__(self, api: AwsApi, outputs: Outputs) -> None:
        self._api = api
        self._clusters = outputs.clusters
        self._instances: dict[str, str] = {}
        """The EC2 instance of each container instance."""
        self._failed: dict[str, set[str]] = {}
        """The failed tasks of each group, by its ARN: ECS forgets a task within the hour."""
        self._last_failed: dict[str, Answer] = {}
        self._last_words = LastWords(api, outputs)

    async def observe(self, colour: Colour, group: Mapping[str, Any]) -> Tasks:
        """Return the tasks of a slot whose Auto Scaling group was described as `group`."""
        if self._clusters is None:
            return Tasks()
        cluster = self._clusters.of(colour)
        try:
            tasks = await self._read(cluster, group["CreatedTime"])
            await self._learn_instances(cluster, tasks)
            seen = self._sum_up(str(group["AutoScalingGroupARN"]), group, tasks)
            unplaced = await self._find_unplaced(cluster, group) if seen.starting else None
        except NotThere:
            return Tasks()
        exit = await self._describe_last_exit(colour, str(group["AutoScalingGroupARN"]))
        return replace(seen, last_exit=exit, unplaced=unplaced)

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
                self._last_failed[key] = task
        tried = {
            self._instances.get(task.get("containerInstanceArn", ""))
            for task in tasks
            if task["lastStatus"] in (_RUNS, "STOPPED")
        }
        machines = {each["InstanceId"] for each in group["Instances"]}
        return Tasks(len(failed), starting=frozenset(machines - tried))

    async def _describe_last_exit(self, colour: Colour, key: str) -> str | None:
        """Return why the last failed task stopped, and the last line of its log."""
        task = self._last_failed.get(key)
        if task is None:
            return None
        words = await self._last_words.find(colour, task)
        return (
            f'{describe_exit(task)}; its log ends with "{words}"' if words else describe_exit(task)
        )

    async def _find_unplaced(self, cluster: str, group: Mapping[str, Any]) -> str | None:
        answer = await self._api.call(
            "ecs", "describe_services", cluster=cluster, services=[_SERVICE]
        )
        service: Answer = next(iter(answer["services"]), {})
        events = [e for e in service.get("events", ()) if e["createdAt"] >= group["CreatedTime"]]
        return find_unplaced(sorted(events, key=lambda event: event["createdAt"]))


def is_failed(task: Answer) -> bool:
    """True if a task stopped because of what runs in it, or could not be started."""
    if task["lastStatus"] != "STOPPED":
        return False
    code = task.get("stopCode", "")
    if code in _CALLED_FOR:
        return False
    # ECS itself stops a task whose container hangs; and one whose service or machine is to end.
    return code != "ServiceSchedulerInitiated" or "health check" in task.get("stoppedReason", "")


def find_unplaced(events: Sequence[Answer]) -> str | None:
    """Return ECS's reason from the events of a service, oldest first, if it is the latest state."""
    for event in reversed(events):
        message = str(event.get("message", ""))
        if _UNPLACED in message:
            return message
        if any(words in message for words in _PLACED):
            return None
    return None


def describe_exit(task: Answer) -> str:
    """Return why a task stopped: its container's exit code and reason, or ECS's own words."""
    said = str(task.get("stoppedReason") or "ECS gives no reason")
    container: Answer = next(iter(task.get("containers", [])), {})
    parts = []
    if (code := container.get("exitCode")) is not None:
        parts.append(f"exit code {code}")
    parts.append(str(container.get("reason") or said))
    return ": ".join(parts)
