"""Staging, applied to a local server of the AWS API, looked at, and destroyed.

The server has no replication groups, composite alarms and table replicas: `emulator` leaves
them out here, and the plans cover them.
"""

import base64
import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isshoni.backend.settings.settings import read_settings
from isshoni.environments.aws.alarms import read_alarm
from isshoni.environments.aws.outputs import parse_outputs
from tests.support.terraform.applied import PARALLELISM, Applied
from tests.support.terraform.former_layout import FormerLayout, read_migration

pytestmark = pytest.mark.timeout(420)

_GUIDE = Path(__file__).parents[2] / "docs" / "aws.md"
_V2_ON_GREEN = ("-var=target_group=green", "-var=image_version=v2")
CLEAN, CHANGES = 0, 2
"""Exit codes of `plan -detailed-exitcode`."""


@pytest.mark.spec("D2")
def test_nothing_is_left_to_do_whatever_the_engine_has_set(applied_staging: Applied) -> None:
    _move_weights(applied_staging, blue=40, green=60)
    code, said = _plan(applied_staging)
    assert code == CLEAN, said


def test_the_engine_is_told_all_that_it_reads(applied_staging: Applied) -> None:
    outputs = applied_staging.outputs
    assert set(outputs) >= {
        "region", "public_url", "alb_dns_name", "listener_arn", "target_rule_arns",
        "target_group_arns", "autoscaling_group_names", "log_groups", "journal_table",
        "backend_secret", "admin_port", "sns_topic_arn", "alarm_names", "metrics_namespace",
        "dashboard_url",
    }  # fmt: skip
    assert outputs["metrics_namespace"] == "Isshoni"
    assert outputs["log_groups"]["blue"] == "/aws/ecs/isshoni-blue"


@pytest.mark.spec("D2")
def test_the_engine_reads_it_from_a_parameter(applied_staging: Applied) -> None:
    parameters = applied_staging.client("ssm")
    published = parameters.get_parameter(Name="/isshoni/engine")["Parameter"]["Value"]
    assert json.loads(published) == applied_staging.outputs
    assert applied_staging.read_secret("isshoni/redis") not in published


def test_a_group_tells_its_version(applied_staging: Applied) -> None:
    group = _read_group(applied_staging, "blue")
    tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
    assert (tags["isshoni:colour"], tags["isshoni:version"]) == ("blue", "v1")


@pytest.mark.spec("C3", "D1")
def test_engine_reads_which_alarms_are_about_which_colour(applied_staging: Applied) -> None:
    outputs = parse_outputs(json.dumps(applied_staging.outputs))
    described = applied_staging.client("cloudwatch").describe_alarms()["MetricAlarms"]
    found = {alarm.name: alarm.colour for alarm in (read_alarm(it, outputs) for it in described)}
    assert {name: colour for name, colour in found.items() if colour is not None} == {
        f"isshoni-{kind}-{colour}": colour
        for kind in ("5xx", "unhealthy-targets")
        for colour in ("blue", "green")
    }
    assert set(found) == set(outputs.alarm_names)


@pytest.mark.spec("D1", "D2")
def test_a_container_runs_the_version_of_its_colour(applied_staging: Applied) -> None:
    definition = _read_task(applied_staging, "isshoni-blue")
    (container,) = definition["containerDefinitions"]
    assert container["image"].endswith(".dkr.ecr.eu-west-1.amazonaws.com/isshoni:v1")
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/aws/ecs/isshoni-blue"
    settings = read_settings(_find_environment(applied_staging, container))
    assert (settings.colour, settings.version) == ("blue", "v1")
    assert settings.redis_url.startswith("rediss+cluster://:")
    assert settings.redis_durability is not None
    assert settings.environment == "isshoni"
    assert settings.vault.writes != "seal:none"
    assert (settings.admin_host, settings.admin_allow_public) == ("0.0.0.0", True)
    assert list(settings.origins) == ["https://chat.example.com", "https://www.example.com"]
    assert list(settings.embed_hosts) == ["https://www.youtube.com"]
    assert settings.region == ""


def test_the_guides_command_to_reseal_finds_redis(applied_staging: Applied) -> None:
    (container,) = _read_task(applied_staging, "isshoni-blue")["containerDefinitions"]
    (script,) = re.findall(r"sh -c \\\n +'(.+ --reseal)'", _GUIDE.read_text())
    reseal = container | {"command": ["sh", "-c", script.removesuffix(" --reseal")]}
    url = _find_environment(applied_staging, container)["REDIS_URL"]
    assert _find_environment(applied_staging, reseal)["REDIS_URL"] == url


@pytest.mark.spec("D3")
def test_a_container_of_one_of_two_regions_knows_both(applied_staging: Applied) -> None:
    other = "https://eu-central-1.chat.example.com"
    with _publish(applied_staging, alternatives=[other]):
        plan = applied_staging.slots["green"].plan(*_V2_ON_GREEN)
    definition = plan.get("aws_ecs_task_definition.this[0]").values["container_definitions"]
    (container,) = json.loads(definition)
    given = {each["name"]: each["value"] for each in container["environment"]}
    assert given["ISSHONI_REGION"] == "eu-west-1"
    assert given["ISSHONI_REGION_ALTERNATIVES"] == other


@pytest.mark.spec("D3")
def test_a_colour_is_refused_in_the_region_of_another_ground(applied_staging: Applied) -> None:
    with _publish(applied_staging, composition="multi-region/first"):
        done = applied_staging.slots["green"].run(
            "plan", "-input=false", "-no-color", *_V2_ON_GREEN
        )
    assert done.code == 1
    said = " ".join(done.err.replace("│", " ").split())
    assert "/isshoni/colours is of multi-region/first, but this folder is about staging" in said


@contextlib.contextmanager
def _publish(applied: Applied, **changes: object) -> Iterator[None]:
    """Change what the ground published, and restore it."""
    parameters, name = applied.client("ssm"), "/isshoni/colours"
    published = parameters.get_parameter(Name=name)["Parameter"]["Value"]
    changed = json.dumps(json.loads(published) | changes)
    parameters.put_parameter(Name=name, Value=changed, Overwrite=True)
    try:
        yield
    finally:
        parameters.put_parameter(Name=name, Value=published, Overwrite=True)


def test_machines_join_the_cluster_of_their_colour_and_install_nothing(
    applied_staging: Applied,
) -> None:
    user_data = _read_user_data(applied_staging, "isshoni-blue")
    assert "ECS_CLUSTER=isshoni-blue\n" in user_data
    assert not {"dnf", "yum", "curl", "docker", "pip"} & set(user_data.split())
    done = subprocess.run(["bash", "-n"], input=user_data, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_each_colour_scales_between_its_bounds_and_waits_at_its_end(
    applied_staging: Applied,
) -> None:
    group = _read_group(applied_staging, "blue")
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (2, 2, 4)
    scaling = applied_staging.client("autoscaling")
    named = {"AutoScalingGroupName": "isshoni-blue"}
    policies = scaling.describe_policies(**named)["ScalingPolicies"]
    assert {policy["PolicyName"] for policy in policies} == {"connections", "cpu"}
    (hook,) = scaling.describe_lifecycle_hooks(**named)["LifecycleHooks"]
    assert (hook["LifecycleHookName"], hook["DefaultResult"]) == ("evacuate", "CONTINUE")


def test_no_secret_of_the_backends_is_in_the_state(applied_staging: Applied) -> None:
    state = (applied_staging.composition.folder / "terraform.tfstate").read_text()
    made = json.loads(applied_staging.read_secret("isshoni/backend"))
    assert len(set(made.values())) == len(made) == 4
    assert [name for name, value in made.items() if value in state] == []


@pytest.mark.spec("D2")
def test_the_guides_commands_split_the_state_of_0_2_0_and_touch_no_machine(
    applied_staging: Applied, tmp_path: Path
) -> None:
    former = FormerLayout(applied_staging, tmp_path)
    before = _find_machines(applied_staging)
    folder = former.ground
    for command in read_migration(_GUIDE.read_text()):
        _, folder = former.run(command, folder)
    assert _find_machines(applied_staging) == before != []
    listed, _ = former.run("terraform state list")
    assert "module.compute" not in listed
    listed, _ = former.run("terraform state list", former.ground / "blue")
    assert set(listed.split()) == {
        "module.colour.aws_launch_template.this[0]", "module.colour.aws_autoscaling_group.this[0]",
    }  # fmt: skip
    for name, words in (("", ""), ("blue", "-var target_group=blue -var image_version=v1")):
        where = former.ground / name
        former.run(f"terraform plan -no-color -out=after {words}", where)
        shown, _ = former.run("terraform show -json after", where)
        changes = json.loads(shown.strip())["resource_changes"]
        assert [c["address"] for c in changes if "delete" in c["change"]["actions"]] == []


def _find_machines(applied: Applied) -> list[str]:
    return [instance["InstanceId"] for instance in _read_group(applied, "blue")["Instances"]]


def test_what_somebody_changes_by_hand_is_found(applied_staging: Applied) -> None:
    _meddle(applied_staging)
    plan = applied_staging.composition.plan()
    assert {
        resource.address.removeprefix("module.region.module.") for resource in plan.changed
    } == {
        "load_balancer.aws_lb.this",
        'load_balancer.aws_lb_listener_rule.target["green"]',
        'observability.aws_cloudwatch_metric_alarm.errors["5xx-critical"]',
        "security.aws_vpc_security_group_ingress_rule.redis_from_backend",
    }


def _meddle(applied: Applied) -> None:
    outputs = applied.outputs
    balancers = applied.client("elbv2")
    (balancer,) = balancers.describe_load_balancers()["LoadBalancers"]
    balancers.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "60"}],
    )
    elsewhere = {"Type": "forward", "TargetGroupArn": outputs["target_group_arns"]["blue"]}
    balancers.modify_rule(RuleArn=outputs["target_rule_arns"]["green"], Actions=[elsewhere])
    applied.client("cloudwatch").delete_alarms(AlarmNames=["isshoni-5xx-critical"])
    _close_redis(applied.client("ec2"))


def _close_redis(ec2: Any) -> None:
    named = [{"Name": "group-name", "Values": ["isshoni-redis"]}]
    (group,) = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    ec2.revoke_security_group_ingress(
        GroupId=group["GroupId"], IpPermissions=group["IpPermissions"]
    )


def test_destroying_leaves_nothing(applied_staging: Applied) -> None:
    destroy = ("destroy", "-auto-approve", "-no-color", PARALLELISM)
    blue = ("-var", "target_group=blue", "-var", "image_version=", "-var", "drained=true")
    _move_weights(applied_staging, blue=0, green=100)
    applied_staging.slots["blue"].must("apply", "-auto-approve", "-no-color", *blue)
    # Again if need be: a dropped connection makes the provider repeat a deletion that was done.
    if applied_staging.composition.run(*destroy).code != 0:
        applied_staging.composition.must(*destroy)
    assert applied_staging.composition.must("state", "list") == ""
    assert applied_staging.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    groups = applied_staging.client("autoscaling").describe_auto_scaling_groups()
    assert groups["AutoScalingGroups"] == []


def _plan(applied: Applied) -> tuple[int, str]:
    done = applied.composition.run("plan", "-input=false", "-no-color", "-detailed-exitcode")
    return done.code, done.out + done.err


def _move_weights(applied: Applied, **weights: int) -> None:
    groups = applied.outputs["target_group_arns"]
    shares = [{"TargetGroupArn": groups[c], "Weight": weight} for c, weight in weights.items()]
    applied.client("elbv2").modify_listener(
        ListenerArn=applied.outputs["listener_arn"],
        DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
    )


def _read_group(applied: Applied, colour: str) -> dict[str, Any]:
    name = applied.outputs["autoscaling_group_names"][colour]
    found = applied.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    group: dict[str, Any] = found["AutoScalingGroups"][0]
    return group


def _read_task(applied: Applied, family: str) -> dict[str, Any]:
    read = applied.client("ecs").describe_task_definition(taskDefinition=family)
    definition: dict[str, Any] = read["taskDefinition"]
    return definition


def _find_environment(applied: Applied, container: dict[str, Any]) -> dict[str, str]:
    """Return the environment of the program: variables, secrets, and what its command adds."""
    given = {each["name"]: each["value"] for each in container["environment"]}
    for secret in container["secrets"]:
        arn, key = re.fullmatch(r"(.+?:secret:[^:]+)(?::(\w+)::)?", secret["valueFrom"]).groups()  # type: ignore[union-attr]
        value = applied.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        given[secret["name"]] = json.loads(value)[key] if key else value
    words = [
        *container["command"][:2],
        container["command"][2].replace("python -m isshoni.backend", "env"),
    ]
    done = subprocess.run(
        words, env={**given, "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def _read_user_data(applied: Applied, template: str) -> str:
    found = applied.client("ec2").describe_launch_template_versions(LaunchTemplateName=template)
    data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"]
    return base64.b64decode(data).decode()
