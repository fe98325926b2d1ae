"""What must hold of the plan of a colour: how its container runs, and how its machines end."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.terraform.plan import Plan

_LEAST_STOP_SECONDS = 75
_LEAST_FILES = 65536
_SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "KEY", "REDIS_URL")


def check_containers(plan: Plan) -> list[str]:
    """Containers are replaced if they hang, drain before they end, and are confined."""
    return [
        f"{definition.address}: {fault}"
        for definition in plan.of_type("aws_ecs_task_definition")
        for container in json.loads(definition.values["container_definitions"])
        for fault in _find_faults(container)
    ]


def _find_faults(container: dict[str, Any]) -> Iterator[str]:
    health = " ".join(container.get("healthCheck", {}).get("command", []))
    if "/healthz" not in health:
        yield "a container that hangs is not replaced"
    if "readyz" in health:
        yield "a Redis outage has every container replaced"
    if container.get("stopTimeout", 0) < _LEAST_STOP_SECONDS:
        yield "is killed while it drains"
    if container.get("privileged") or container.get("user", "0") in ("0", "root"):
        yield "runs as root"
    if not container.get("readonlyRootFilesystem"):
        yield "may change its program"
    if container.get("logConfiguration", {}).get("logDriver") != "awslogs":
        yield "its log is lost with its machine"
    limits = {each["name"]: each["hardLimit"] for each in container.get("ulimits", [])}
    if limits.get("nofile", 0) < _LEAST_FILES:
        yield "takes few connections"


def check_container_secrets(plan: Plan) -> list[str]:
    """Secrets are injected by ECS; none is in the definition of a task."""
    faults = []
    for definition in plan.of_type("aws_ecs_task_definition"):
        for container in json.loads(definition.values["container_definitions"]):
            names = [variable["name"] for variable in container.get("environment", [])]
            plain = [name for name in names if any(word in name for word in _SECRET_WORDS)]
            faults += [f"{definition.address}: {name} is not a secret" for name in plain]
            if not container.get("secrets"):
                faults.append(f"{definition.address}: is given no secrets")
    return faults


def check_services(plan: Plan) -> list[str]:
    """A machine runs one task, which no balancer's check replaces, and is emptied at its end."""
    faults = []
    for service in plan.of_type("aws_ecs_service"):
        if service.values.get("scheduling_strategy") != "DAEMON":
            faults.append(f"{service.address}: does not run on each machine")
        if service.values.get("load_balancer"):
            faults.append(f"{service.address}: a Redis outage has every task replaced")
    groups = plan.of_type("aws_autoscaling_group")
    hooks = plan.of_type("aws_autoscaling_lifecycle_hook")
    ends = [h for h in hooks if h.values["lifecycle_transition"].endswith("TERMINATING")]
    if len(ends) != len(groups):
        faults.append("machines end with their users on them")
    for group in groups:
        if group.values.get("health_check_type") != "EC2":
            faults.append(f"{group.address}: a Redis outage has every machine replaced")
        if not group.values.get("protect_from_scale_in"):
            faults.append(f"{group.address}: shrinks while it waits for its users")
    return faults
