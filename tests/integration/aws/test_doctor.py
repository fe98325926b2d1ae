"""`isshoni doctor --environment` against a server of the AWS API."""

import asyncio
import json
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.doctor import examine as examination
from isshoni.environments.aws.doctor import reach
from isshoni.environments.aws.doctor.access import check_deployer
from isshoni.environments.aws.doctor.capacity import QUOTA_CODE, check_quota
from isshoni.environments.aws.doctor.examine import examine
from isshoni.environments.aws.doctor.ground import check_groups, check_subscriptions
from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.errors import AccessFault
from isshoni.environments.aws.outputs import parse_outputs
from isshoni.environments.checks import Check
from tests.support.aws.account import Account, make_account
from tests.support.aws.moto_server import REGION

KEYS = ("staging/blue.tfstate", "staging/green.tfstate")


class Answers(AwsApi):
    """Calls that have an answer here get it; the others are made."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        super().__init__(REGION, timeout_seconds=30.0)
        self._answers = answers

    async def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        answer = self._answers.get(operation)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return dict(answer)  # type: ignore[call-overload, no-any-return]
        return await super().call(service, operation, **arguments)

    async def call_all(
        self, service: str, operation: str, items: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        answer = self._answers.get(operation)
        if answer is not None:
            return list(answer[items])  # type: ignore[index]
        return await super().call_all(service, operation, items, **arguments)


@pytest.fixture
def account(aws_api: AwsApi) -> Account:
    """Return an account in which the ground published both parameters."""
    made = make_account(aws_api)
    colours = {"instance_type": "t3.small", "instances_per_colour": 2}
    aws_api.call_now(
        "ssm", "put_parameter", Name=f"/{made.name}/colours", Type="String",
        Value=json.dumps(colours), Overwrite=True,
    )  # fmt: skip
    aws_api.call_now(
        "sns", "subscribe", TopicArn=made.outputs["sns_topic_arn"], Protocol="email",
        Endpoint="team@example.com",
    )  # fmt: skip
    return made


@pytest.fixture
def config(account: Account, aws_api: AwsApi, tmp_path: Path) -> AwsConfig:
    """Return the settings of an environment whose states are in a bucket."""
    bucket = f"state-{account.name}"
    aws_api.call_now(
        "s3", "create_bucket", Bucket=bucket,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )  # fmt: skip
    for key in KEYS:
        folder = tmp_path / Path(key).stem
        folder.mkdir()
        versions = f'terraform {{\n  backend "s3" {{\n    key          = "{key}"\n  }}\n}}\n'
        (folder / "versions.tf").write_text(versions)
        aws_api.call_now("s3", "put_object", Bucket=bucket, Key=key, Body=b"{}")
    return AwsConfig(
        kind="aws", name=account.name, terraform=tmp_path, terraform_program="sh",
        backend={"bucket": bucket},
    )  # fmt: skip


def inspect(config: AwsConfig, account: Account, **answers: object) -> Inspected:
    outputs = parse_outputs(json.dumps(account.outputs))
    return Inspected(config, Answers(answers), outputs)


async def look(config: AwsConfig, name: str) -> Check:
    return next(check for check in await examine(config) if check.name == name)


async def test_environment_in_order_passes_every_check(
    config: AwsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [row for row in examination._OF_GROUND if row[0] != "quota"]  # the server has no quotas
    monkeypatch.setattr(examination, "_OF_GROUND", tuple(kept))
    checks = await examine(config)
    assert [check for check in checks if not check.ok] == []
    assert [check.name for check in checks] == [
        "terraform", "credentials", "ground", "deployer's role", "admin ports", "state", "locks",
        "alarms", "subscriptions", "groups", "rules",
    ]  # fmt: skip


async def test_ground_that_was_not_applied_is_named(config: AwsConfig) -> None:
    checks = await examine(config.model_copy(update={"name": "nothing-here"}))
    assert checks[-1].name == "ground" and not checks[-1].ok
    assert "/nothing-here/engine" in checks[-1].detail and "apply" in str(checks[-1].remedy)


@pytest.mark.parametrize(("minutes", "ok"), [(1, True), (60, False)])
async def test_stale_lock_is_named_with_id_age_and_holder(
    config: AwsConfig, aws_api: AwsApi, minutes: int, ok: bool
) -> None:
    created = datetime.now(UTC) - timedelta(minutes=minutes)
    lock = {
        "ID": "8a7b", "Operation": "OperationTypeApply", "Who": "ann@laptop", "Version": "1.11.0",
        "Created": created.isoformat().replace("+00:00", "123Z"),
    }  # fmt: skip
    aws_api.call_now(
        "s3", "put_object", Bucket=config.backend["bucket"], Key=f"{KEYS[1]}.tflock",
        Body=json.dumps(lock).encode(),
    )  # fmt: skip
    check = await look(config, "locks")
    assert check.ok is ok
    assert "staging/green.tfstate is locked by ann@laptop" in check.detail
    if not ok:
        assert "60 min" in check.detail and "8a7b" in check.detail
        assert "force-unlock 8a7b" in str(check.remedy) and "surely dead" in str(check.remedy)


async def test_wrong_bucket_is_named(config: AwsConfig) -> None:
    check = await look(config.model_copy(update={"backend": {"bucket": "no-such"}}), "state")
    assert not check.ok
    missing = await look(config.model_copy(update={"backend": {}}), "state")
    assert not missing.ok and "bucket" in str(missing.remedy)


async def test_alarm_that_fires_and_one_that_was_deleted_are_named(
    config: AwsConfig, account: Account, aws_api: AwsApi
) -> None:
    name = account.outputs["alarm_names"][0]
    aws_api.call_now(
        "cloudwatch", "set_alarm_state", AlarmName=name, StateValue="ALARM", StateReason="test"
    )
    check = await look(config, "alarms")
    assert not check.ok and f"fires: {name} (rolls nothing back)" in check.detail
    aws_api.call_now("cloudwatch", "delete_alarms", AlarmNames=[name])
    gone = await look(config, "alarms")
    assert not gone.ok and f"deleted: {name}" in gone.detail and "apply" in str(gone.remedy)


async def test_rule_changed_by_hand_is_named(
    config: AwsConfig, account: Account, aws_api: AwsApi
) -> None:
    outputs = account.outputs
    aws_api.call_now(
        "elbv2", "modify_rule", RuleArn=outputs["target_rule_arns"]["green"],
        Actions=[{"Type": "forward", "TargetGroupArn": outputs["target_group_arns"]["blue"]}],
    )  # fmt: skip
    check = await look(config, "rules")
    assert not check.ok and "?target=green" in check.detail


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (None, "deleted, or never confirmed: ops@example.com"),
        ("PendingConfirmation", "not confirmed"),
    ],
)
async def test_lost_subscription_is_named(
    config: AwsConfig, account: Account, arn: str | None, expected: str
) -> None:
    rows = [{"Endpoint": "team@example.com", "SubscriptionArn": "arn:1"}]
    rows += [{"Endpoint": "ops@example.com", "SubscriptionArn": arn}] if arn else []
    inspected = inspect(config, account, list_subscriptions_by_topic={"Subscriptions": rows})
    emails = ("team@example.com", "ops@example.com")
    outputs = msgspec.structs.replace(inspected.outputs, alert_emails=emails)
    check = await check_subscriptions(Inspected(config, inspected.api, outputs))
    assert not check.ok and expected in check.detail and "ops@example.com" in check.detail


def a_group(size: int, *suspended: str) -> dict[str, object]:
    processes = [{"ProcessName": name} for name in ("AZRebalance", *suspended)]
    group = {
        "AutoScalingGroupName": "a-blue", "DesiredCapacity": size, "SuspendedProcesses": processes,
        "Instances": [{"InstanceId": "i-1", "LifecycleState": "InService"}],
    }  # fmt: skip
    return {"AutoScalingGroups": [group]}


@pytest.mark.parametrize(
    ("group", "fault"),
    [
        (a_group(2), None),
        (a_group(5), "a-blue has 5 machines, the ground says 2"),
        (a_group(2, "Launch"), "replaces no lost machine: Launch"),
    ],
)
async def test_group_scaled_by_hand_is_named(
    config: AwsConfig, account: Account, group: object, fault: str | None
) -> None:
    check = await check_groups(inspect(config, account, describe_auto_scaling_groups=group))
    assert check.ok is (fault is None)
    assert fault is None or fault in check.detail


def a_machine(address: str) -> dict[str, object]:
    machine = {
        "InstanceId": "i-1", "PrivateIpAddress": address, "State": {"Name": "running"},
        "InstanceType": "t3.small", "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
    }  # fmt: skip
    return {"Reservations": [{"Instances": [machine]}]}


@pytest.mark.parametrize(("quota", "ok"), [(5, False), (6, True)])
async def test_quota_must_allow_the_machines_of_a_second_slot(
    config: AwsConfig, account: Account, quota: int, ok: bool
) -> None:
    inspected = inspect(
        config,
        account,
        get_service_quota={"Quota": {"Value": float(quota)}},
        describe_instances=a_machine("127.0.0.1"),
        describe_instance_types={"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 2}}]},
    )
    check = await check_quota(inspected)
    assert check.ok is ok
    assert check.detail == f"2 of {quota} vCPUs are used; the machines of the other slot need 4"
    assert ok or QUOTA_CODE in str(check.remedy)


async def try_ports(config: AwsConfig, account: Account, port: int) -> Check:
    inspected = inspect(
        config,
        account,
        describe_auto_scaling_groups=a_group(1),
        describe_instances=a_machine("127.0.0.1"),
    )
    outputs = msgspec.structs.replace(inspected.outputs, admin_port=port)
    return await reach.check_admin_ports(Inspected(config, inspected.api, outputs))


async def test_admin_ports_that_are_reached_and_closed_ones(
    config: AwsConfig, account: Account
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert (await try_ports(config, account, port)).ok
    closed = await try_ports(config, account, port)
    assert not closed.ok and "nothing listens" in closed.detail
    assert "isshoni logs" in str(closed.remedy)


async def test_port_without_an_answer_means_outside_the_vpc(
    config: AwsConfig, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(host: str, port: int) -> object:
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio, "open_connection", hang)
    monkeypatch.setattr(reach, "CONNECT_SECONDS", 0.05)
    check = await try_ports(config, account, 9101)
    assert not check.ok and "i-1 at 127.0.0.1:9101: no answer" in check.detail
    assert "outside the VPC" in str(check.remedy) and "runner" in str(check.remedy)


async def test_caller_that_may_not_deploy_is_named(config: AwsConfig, account: Account) -> None:
    role = "arn:aws:iam::123456789012:role/isshoni-deployer-eu-west-1"
    inspected = inspect(config, account, assume_role=AccessFault("sts assume_role", "no"))
    outputs = msgspec.structs.replace(inspected.outputs, deployer_role_arn=role)
    check = await check_deployer(Inspected(config, inspected.api, outputs))
    assert not check.ok and f"may not assume {role}" in check.detail
    assert "deployer_principal_arns" in str(check.remedy)


def test_no_message_advises_to_force_past_an_unreachable_network() -> None:
    source = Path(examination.__file__).parents[3]
    for file in source.rglob("*.py"):
        for text in re.findall(r'"[^"\n]*--force[^"\n]*"', file.read_text()):
            assert not re.search(r"reach|network|VPC|admin port|unreach|answer", text), file
