"""moto's server, and what it lacks: a termination hook that has a machine wait.

Run as a program with moto's own arguments. It also describes policies, hooks and services as AWS
does: moto has values of its own, which Terraform would change at each plan.
"""

from collections.abc import Callable
from typing import Any

from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    FakeScalingPolicy,
    InstanceState,
    LifecycleHook,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.ecs.models import Service
from moto.server import main

WAITING = "Terminating:Wait"
_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

_make_service, _make_hook = Service.__init__, LifecycleHook.__init__
_make_policy = FakeScalingPolicy.__init__
_set_capacity = FakeAutoScalingGroup.set_desired_capacity
_terminate = AutoScalingBackend.terminate_instance
_protect = AutoScalingBackend.set_instance_protection
_delete_hook = AutoScalingBackend.delete_lifecycle_hook
_attach = AutoScalingBackend.update_attached_target_groups


def make_service(service: Service, *args: Any, **settings: Any) -> None:
    _make_service(service, *args, **settings)
    # On the host's network; the provider of Terraform cannot read an empty configuration.
    service.network_configuration = service.network_configuration or None  # type: ignore[assignment]
    vars(service).update(availability_zone_rebalancing="DISABLED", enable_ecs_managed_tags=True)


def make_hook(hook: LifecycleHook, *args: Any, **settings: Any) -> None:
    _make_hook(hook, *args, **settings)
    vars(hook).update(role_arn=None, notification_target_arn=None)


def make_policy(policy: FakeScalingPolicy, *args: Any, **settings: Any) -> None:
    _make_policy(policy, *args, **settings)
    vars(policy).update(enabled=True, predictive_scaling_configuration=None)


def has_hook(group: FakeAutoScalingGroup) -> bool:
    return any(
        (hook.auto_scaling_group_name, hook.lifecycle_transition) == (group.name, _TERMINATING)
        for hook in group.autoscaling_backend.lifecycle_hooks.values()
    )


def have_wait(group: FakeAutoScalingGroup, states: list[InstanceState]) -> None:
    """Deregister machines, and have them wait for the hook."""
    backend = group.autoscaling_backend
    for state in states:
        state.lifecycle_state = WAITING
        for arn in group.target_group_arns:
            backend.elbv2_backend.deregister_targets(arn, [{"Id": state.instance.id}])


def set_capacity(group: FakeAutoScalingGroup, wanted: int | None) -> None:
    serving = group.active_instances()
    leaving = len(serving) - (wanted if wanted is not None else 0)
    if leaving > 0 and has_hook(group):
        free = [state for state in serving if not state.protected_from_scale_in]
        have_wait(group, free[:leaving])
        group.desired_capacity = wanted
        return
    _set_capacity(group, wanted)


def attach(backend: AutoScalingBackend, group_name: str) -> None:
    """Register the machines that serve, not those that wait for their end."""
    _attach(backend, group_name)
    group = backend.autoscaling_groups[group_name]
    have_wait(group, [s for s in group.instance_states if s.lifecycle_state == WAITING])


def terminate(backend: AutoScalingBackend, instance_id: str, should_decrement: bool) -> Any:
    group, state = find(backend, instance_id)
    if not has_hook(group):
        return _terminate(backend, instance_id, should_decrement)
    have_wait(group, [state])
    if should_decrement:
        group.desired_capacity = (group.desired_capacity or 1) - 1
    _set_capacity(group, group.desired_capacity)
    return {"ActivityId": instance_id, "StatusCode": "InProgress"}


def protect(
    backend: AutoScalingBackend, group_name: str, instance_ids: list[str], protected: bool | None
) -> None:
    _protect(backend, group_name, instance_ids, protected)
    group = backend.autoscaling_groups[group_name]
    if len(group.active_instances()) > (group.desired_capacity or 0):
        # What protection has held up happens now.
        group.set_desired_capacity(group.desired_capacity)


def find(
    backend: AutoScalingBackend, instance_id: str
) -> tuple[FakeAutoScalingGroup, InstanceState]:
    return next(
        (group, state)
        for group in backend.autoscaling_groups.values()
        for state in group.instance_states
        if state.instance.id == instance_id
    )


def end(backend: AutoScalingBackend, group: FakeAutoScalingGroup, state: InstanceState) -> None:
    group.instance_states.remove(state)
    backend.ec2_backend.terminate_instances([state.instance.id])


def complete(response: AutoScalingResponse) -> EmptyResult:
    backend = response.autoscaling_backend
    group, state = find(backend, response._get_param("InstanceId"))
    if state.lifecycle_state == WAITING:
        end(backend, group, state)
    return EmptyResult()


def delete_hook(backend: AutoScalingBackend, as_name: str, name: str) -> None:
    _delete_hook(backend, as_name, name)
    group = backend.autoscaling_groups[as_name]
    for state in [s for s in group.instance_states if s.lifecycle_state == WAITING]:
        end(backend, group, state)


_MENDED: tuple[tuple[type, str, Callable[..., Any]], ...] = (
    (Service, "__init__", make_service),
    (LifecycleHook, "__init__", make_hook),
    (FakeScalingPolicy, "__init__", make_policy),
    (FakeAutoScalingGroup, "set_desired_capacity", set_capacity),
    (AutoScalingBackend, "terminate_instance", terminate),
    (AutoScalingBackend, "set_instance_protection", protect),
    (AutoScalingBackend, "delete_lifecycle_hook", delete_hook),
    (AutoScalingBackend, "update_attached_target_groups", attach),
    (AutoScalingResponse, "complete_lifecycle_action", complete),
)

if __name__ == "__main__":
    for owner, name, mended in _MENDED:
        setattr(owner, name, mended)
    main()
