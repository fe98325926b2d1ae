"""The checks of `isshoni doctor --environment`, on answers as AWS gives them."""

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.doctor import reach
from isshoni.environments.aws.doctor.access import check_deployer
from isshoni.environments.aws.doctor.capacity import QUOTA_CODE, check_quota
from isshoni.environments.aws.doctor.ground import check_groups, check_subscriptions
from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.doctor.state import check_locks
from isshoni.environments.aws.errors import AccessFault
from isshoni.environments.aws.outputs import ByColour, Outputs
from isshoni.environments.checks import Check

NAMES = ByColour("a-blue", "a-green")
OUTPUTS = Outputs("eu-west-1", "https://a", "l", NAMES, NAMES, NAMES, NAMES, "table", "s", "topic")
CONFIG = AwsConfig(kind="aws", name="chat", terraform=Path("ground"))
MACHINES = {
    "Parameter": {"Value": json.dumps({"instance_type": "t3.small", "instances_per_colour": 2})}
}
CALLER = {"Arn": "arn:aws:iam::123456789012:user/ann"}


class Answers(AwsApi):
    """Gives canned answers, by operation; an exception is raised."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        super().__init__("eu-west-1")
        self._answers = {"get_parameter": MACHINES, "get_caller_identity": CALLER, **answers}

    async def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        answer = self._answers[operation]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer

    async def call_all(
        self, service: str, operation: str, items: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        answer = self._answers[operation]
        assert isinstance(answer, dict)
        found: list[dict[str, Any]] = answer[items]
        return found


def inspect(answers: Mapping[str, object], **outputs: object) -> Inspected:
    return Inspected(CONFIG, Answers(answers), msgspec.structs.replace(OUTPUTS, **outputs))


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (None, "deleted, or never confirmed: ops@example.com"),
        ("PendingConfirmation", "not confirmed"),
    ],
)
async def test_lost_subscription_is_named(arn: str | None, expected: str) -> None:
    rows = [{"Endpoint": "team@example.com", "SubscriptionArn": "arn:1"}]
    rows += [{"Endpoint": "ops@example.com", "SubscriptionArn": arn}] if arn else []
    answers = {"list_subscriptions_by_topic": {"Subscriptions": rows}}
    emails = ("team@example.com", "ops@example.com")
    check = await check_subscriptions(inspect(answers, alert_emails=emails))
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
async def test_group_scaled_by_hand_is_named(group: object, fault: str | None) -> None:
    check = await check_groups(inspect({"describe_auto_scaling_groups": group}))
    assert check.ok is (fault is None)
    assert fault is None or fault in check.detail


def a_machine(address: str) -> dict[str, object]:
    machine = {
        "InstanceId": "i-1", "PrivateIpAddress": address, "State": {"Name": "running"},
        "InstanceType": "t3.small", "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
    }  # fmt: skip
    return {"Reservations": [{"Instances": [machine]}]}


@pytest.mark.parametrize(("quota", "ok"), [(5, False), (6, True)])
async def test_quota_must_allow_the_machines_of_a_second_slot(quota: int, ok: bool) -> None:
    answers = {
        "get_service_quota": {"Quota": {"Value": float(quota)}},
        "describe_instances": a_machine("127.0.0.1"),
        "describe_instance_types": {"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 2}}]},
        "describe_auto_scaling_groups": {"AutoScalingGroups": []},
    }
    check = await check_quota(inspect(answers))
    assert check.ok is ok
    assert check.detail == f"2 of {quota} vCPUs are used; the machines of the other slot need 4"
    assert ok or QUOTA_CODE in str(check.remedy)


async def try_ports(port: int) -> Check:
    answers = {
        "describe_auto_scaling_groups": a_group(1),
        "describe_instances": a_machine("127.0.0.1"),
    }
    return await reach.check_admin_ports(inspect(answers, admin_port=port))


async def test_admin_ports_that_are_reached_and_closed_ones() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert (await try_ports(port)).ok
    closed = await try_ports(port)
    assert not closed.ok and "nothing listens" in closed.detail
    assert "isshoni logs" in str(closed.remedy)


async def test_port_without_an_answer_means_outside_the_vpc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(host: str, port: int) -> object:
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio, "open_connection", hang)
    monkeypatch.setattr(reach, "CONNECT_SECONDS", 0.05)
    check = await try_ports(9101)
    assert not check.ok and "i-1 at 127.0.0.1:9101: no answer" in check.detail
    assert "outside the VPC" in str(check.remedy) and "runner" in str(check.remedy)


async def test_caller_that_may_not_deploy_is_named() -> None:
    role = "arn:aws:iam::123456789012:role/isshoni-deployer-eu-west-1"
    answers = {"assume_role": AccessFault("sts assume_role", "no")}
    check = await check_deployer(inspect(answers, deployer_role_arn=role))
    assert not check.ok and f"user/ann may not assume {role}" in check.detail
    assert "deployer_principal_arns" in str(check.remedy)


async def test_credentials_of_the_deployer_itself_are_recognised() -> None:
    caller = "arn:aws:sts::123456789012:assumed-role/isshoni-deployer-eu-west-1/isshoni-runner"
    role = "arn:aws:iam::123456789012:role/isshoni-deployer-eu-west-1"
    answers = {"get_caller_identity": {"Arn": caller}}
    check = await check_deployer(inspect(answers, deployer_role_arn=role))
    assert check.ok and "its own" in check.detail


async def test_lock_of_a_state_in_a_file_is_seen_with_its_age(tmp_path: Path) -> None:
    for colour in ("blue", "green"):
        (tmp_path / colour).mkdir()
    config = CONFIG.model_copy(update={"terraform": tmp_path})
    inspected = Inspected(config, Answers({}), OUTPUTS)
    assert await check_locks(inspected) == Check("locks", True, "none is held")
    file = tmp_path / "blue" / ".terraform.tfstate.lock.info"
    held = {"ID": "1", "Who": "ann@laptop", "Operation": "OperationTypeApply"}
    file.write_text(json.dumps({**held, "Created": "2026-01-01T00:00:00Z"}))
    check = await check_locks(inspected)
    assert (check.ok, check.remedy) == (False, f"if that run is surely dead: `rm {file}`")
    assert f"the state in {tmp_path / 'blue'} is locked by ann@laptop" in check.detail
