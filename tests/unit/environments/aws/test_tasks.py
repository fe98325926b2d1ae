"""The tasks of a slot: which failed and why, and which machines have not run one yet."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import NotThere
from isshoni.environments.aws.groups import Instance, count_wanted
from isshoni.environments.aws.outputs import ByColour, Outputs
from isshoni.environments.aws.tasks import EcsTasks, Tasks, describe_exit, is_failed

BEGAN = datetime(2026, 11, 26, tzinfo=UTC)
BOTH = ByColour("t-blue", "t-green")
OUTPUTS = Outputs(
    "eu-west-1", "https://a", "l", BOTH, BOTH, BOTH, BOTH, "table", "secret", "topic", clusters=BOTH
)
GROUP = {
    "AutoScalingGroupARN": "arn:group",
    "CreatedTime": BEGAN,
    "Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}],
}


def a_task(arn: str, status: str = "RUNNING", **changes: object) -> dict[str, Any]:
    return {
        "taskArn": arn,
        "containerInstanceArn": "container/1",
        "lastStatus": status,
        "createdAt": BEGAN + timedelta(seconds=10),
        "containers": [{"name": "backend"}],
        **changes,
    }


DEAD = a_task(
    "t1",
    "STOPPED",
    stopCode="EssentialContainerExited",
    stoppedReason="Essential container in task exited",
    containers=[{"name": "backend", "exitCode": 3}],
)
HUNG = a_task(
    "t2",
    "STOPPED",
    stopCode="ServiceSchedulerInitiated",
    stoppedReason="Task failed container health checks",
    containers=[{"name": "backend", "exitCode": 137}],
)
NO_IMAGE = a_task(
    "t3",
    "STOPPED",
    stopCode="TaskFailedToStart",
    stoppedReason="Task failed to start",
    containers=[{"name": "backend", "reason": "CannotPullContainerError: v9: not found"}],
)
ENDED = a_task(
    "t4",
    "STOPPED",
    stopCode="ServiceSchedulerInitiated",
    stoppedReason="Scaling activity initiated by (deployment ecs-svc/1)",
)


class Cluster:
    """A cluster with these tasks, on container instance 1."""

    def __init__(self, *tasks: dict[str, Any]) -> None:
        self.tasks = list(tasks)
        self.logs: dict[str, list[str]] = defaultdict(list)
        self.events: list[dict[str, Any]] = []

    async def call_all(self, service: str, operation: str, items: str, **asked: Any) -> list[Any]:
        if service == "logs":
            (stream,) = asked["logStreamNames"]
            lines = self.logs[stream.removeprefix("backend/backend/")]
            return [{"message": line, "timestamp": n} for n, line in enumerate(lines)]
        assert (service, operation, items) == ("ecs", "list_tasks", "taskArns")
        wanted = asked["desiredStatus"]
        return [t["taskArn"] for t in self.tasks if (t["lastStatus"] == "STOPPED") == (
            wanted == "STOPPED"
        )]  # fmt: skip

    async def call(self, service: str, operation: str, **asked: Any) -> dict[str, Any]:
        if operation == "describe_tasks":
            return {"tasks": [t for t in self.tasks if t["taskArn"] in asked["tasks"]]}
        if operation == "describe_services":
            assert asked == {"cluster": "t-green", "services": ["backend"]}
            return {"services": [{"events": self.events}]}
        assert operation == "describe_container_instances"
        return {
            "containerInstances": [
                {"containerInstanceArn": "container/1", "ec2InstanceId": "i-1"},
            ]
        }


class NoCluster(Cluster):
    async def call_all(self, service: str, operation: str, items: str, **asked: Any) -> list[Any]:
        raise NotThere("ecs list_tasks", "ClusterNotFoundException")


def open_tasks(cluster: Cluster, outputs: Outputs = OUTPUTS) -> EcsTasks:
    return EcsTasks(cast(AwsApi, cluster), outputs)


@pytest.mark.parametrize(
    ("task", "failed", "why"),
    [
        (DEAD, True, "exit code 3: Essential container in task exited"),
        (HUNG, True, "exit code 137: Task failed container health checks"),
        (NO_IMAGE, True, "CannotPullContainerError: v9: not found"),
        (ENDED, False, "Scaling activity initiated by (deployment ecs-svc/1)"),
        (DEAD | {"stopCode": "UserInitiated"}, False, "exit code 3: Essential"),
        (a_task("t5"), False, "ECS gives no reason"),
    ],
    ids=["died", "hung", "no image", "scaled in", "stopped by hand", "runs"],
)
def test_a_failed_task_is_told_from_one_that_was_stopped(
    task: dict[str, Any], failed: bool, why: str
) -> None:
    assert is_failed(task) is failed
    assert describe_exit(task).startswith(why)


async def test_failed_tasks_are_restarts_also_after_ecs_has_forgotten_them() -> None:
    cluster = Cluster(DEAD, a_task("t9"))
    tasks = open_tasks(cluster)
    seen = await tasks.observe("green", GROUP)
    assert (seen.restarts, seen.last_exit) == (1, "exit code 3: Essential container in task exited")
    cluster.tasks = [HUNG, a_task("t9")]
    again = await tasks.observe("green", GROUP)
    assert (again.restarts, again.last_exit) == (
        2,
        "exit code 137: Task failed container health checks",
    )


async def test_the_last_line_of_its_log_is_joined_to_why_a_task_stopped() -> None:
    cluster = Cluster(DEAD)
    tasks = open_tasks(cluster)
    assert (await tasks.observe("green", GROUP)).last_exit == (
        "exit code 3: Essential container in task exited"
    )
    cluster.logs["t1"] = ["starting", "Redis: wrong password", ""]
    for _ in range(2):  # read once, then remembered
        assert (await tasks.observe("green", GROUP)).last_exit == (
            "exit code 3: Essential container in task exited; "
            'its log ends with "Redis: wrong password"'
        )
        cluster.logs.clear()


UNPLACED = (
    "(service backend) was unable to place a task because no container instance met all of its "
    "requirements. The closest matching (container-instance 1) has insufficient memory available."
)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([UNPLACED], UNPLACED),
        (["(service backend) has started 1 tasks: (task 1).", UNPLACED], UNPLACED),
        ([UNPLACED, "(service backend) has started 1 tasks: (task 1)."], None),
        ([UNPLACED, "(service backend) has reached a steady state."], None),
        ([], None),
    ],
    ids=["never", "no longer", "at last", "steady", "silent"],
)
async def test_a_task_that_ecs_cannot_place_says_why(messages: list[str], why: str | None) -> None:
    cluster = Cluster(a_task("t1"))
    cluster.events = [
        {"message": message, "createdAt": BEGAN + timedelta(seconds=number)}
        for number, message in enumerate(messages)
    ][::-1]
    before = {"message": UNPLACED, "createdAt": BEGAN - timedelta(seconds=1)}
    cluster.events.append(before)  # about the version before
    assert (await open_tasks(cluster).observe("green", GROUP)).unplaced == why


async def test_tasks_of_the_version_before_do_not_count() -> None:
    before = DEAD | {"createdAt": BEGAN - timedelta(seconds=1)}
    assert (await open_tasks(Cluster(before)).observe("green", GROUP)).restarts == 0


async def test_an_instance_starts_until_a_task_has_run_on_it() -> None:
    starting = a_task("t1", "PENDING")
    assert (await open_tasks(Cluster(starting)).observe("green", GROUP)).starting == {"i-1", "i-2"}
    for task in (a_task("t1"), DEAD):
        assert (await open_tasks(Cluster(task)).observe("green", GROUP)).starting == {"i-2"}


async def test_without_a_cluster_nothing_is_known() -> None:
    older = Outputs("eu-west-1", "https://a", "l", BOTH, BOTH, BOTH, BOTH, "table", "s", "topic")
    assert await open_tasks(Cluster(DEAD), older).observe("blue", GROUP) == Tasks()
    assert await open_tasks(NoCluster()).observe("blue", GROUP) == Tasks()


def instances(ready: int, starting: int = 0, leaving: int = 0) -> tuple[Instance, ...]:
    states = ["InService"] * (ready + starting) + ["Terminating:Wait"] * leaving
    return tuple(
        Instance(f"i-{n}", "10.0.0.1", state, starting=ready <= n < ready + starting)
        for n, state in enumerate(states)
    )


@pytest.mark.parametrize(
    ("desired", "started", "there", "wanted"),
    [
        (2, "2", instances(ready=0), 2),
        (2, "2", instances(ready=1, starting=1), 2),
        (5, "2", instances(ready=2, starting=3), 2),
        (5, "2", instances(ready=5), 5),
        (2, "3", instances(ready=2, leaving=1), 2),
        (3, "", instances(ready=1, starting=2), 3),
    ],
    ids=["begins", "a start", "a scale-out", "scaled out", "a scale-in", "an older ground"],
)
def test_a_slot_is_judged_by_what_it_was_started_with_and_what_came_since(
    desired: int, started: str, there: tuple[Instance, ...], wanted: int
) -> None:
    assert count_wanted(desired, started, there) == wanted
