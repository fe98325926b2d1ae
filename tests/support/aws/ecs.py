"""What ECS does on the machines: one task each, started again when it ends or hangs."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012"
HUNG = "Task failed container health checks"
Json = dict[str, Any]


@dataclass
class Task:
    """One task, as `DescribeTasks` shows it."""

    cluster: str
    instance: str
    created: float = field(default_factory=time.time)
    status: str = "RUNNING"
    exit_code: int | None = None
    code: str = ""
    reason: str = ""
    stopped: float | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def arn(self) -> str:
        return f"{ACCOUNT}:task/{self.cluster}/{self.id}"

    @property
    def container_instance(self) -> str:
        return f"{ACCOUNT}:container-instance/{self.cluster}/{self.instance}"

    def stop(self, code: str, reason: str, exit_code: int | None) -> None:
        self.status, self.code, self.reason, self.exit_code = "STOPPED", code, reason, exit_code
        self.stopped = time.time()

    def describe(self) -> Json:
        container: Json = {"name": "backend", "lastStatus": self.status}
        shown: Json = {
            "taskArn": self.arn,
            "containerInstanceArn": self.container_instance,
            "lastStatus": self.status,
            "createdAt": self.created,
            "containers": [container],
        }
        if self.status == "STOPPED":
            container["exitCode"] = self.exit_code
            shown |= {"stopCode": self.code, "stoppedReason": self.reason}
            shown["stoppedAt"] = self.stopped
        return shown


@dataclass
class Ecs:
    """The tasks of all clusters, and the answers about them."""

    tasks: list[Task] = field(default_factory=list)
    draining: set[str] = field(default_factory=set)
    """Instances that get no task any more."""

    def start(self, cluster: str, instance: str) -> Task:
        """Record a new task."""
        task = Task(cluster, instance)
        self.tasks.append(task)
        return task

    def answer(self, operation: str, asked: Mapping[str, Any]) -> Json | None:
        """Answer a call about tasks and container instances; None: it is about something else."""
        of_cluster = [t for t in self.tasks if t.cluster == asked.get("cluster")]
        match operation:
            case "ListTasks":
                wanted = asked.get("desiredStatus", "RUNNING")
                return {"taskArns": [t.arn for t in of_cluster if t.status == wanted]}
            case "DescribeTasks":
                return {"tasks": [t.describe() for t in of_cluster if t.arn in asked["tasks"]]}
            case "DescribeContainerInstances":
                return _describe_containers(of_cluster, asked["containerInstances"])
            case "DescribeServices":
                return {"services": [], "failures": []}
            case "ListContainerInstances":
                id = asked["filter"].rpartition(" ")[2]
                places = {t.container_instance for t in of_cluster if t.instance == id}
                return {"containerInstanceArns": sorted(places)}
            case "UpdateContainerInstancesState":
                self.draining |= {a.rpartition("/")[2] for a in asked["containerInstances"]}
                return {"containerInstances": []}
        return None


def _describe_containers(tasks: list[Task], arns: list[str]) -> Json:
    known = {t.container_instance: t.instance for t in tasks}
    return {
        "containerInstances": [
            {"containerInstanceArn": arn, "ec2InstanceId": known[arn]} for arn in arns
        ]
    }
