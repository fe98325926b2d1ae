"""`isshoni doctor --environment` against a server of the AWS API."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.doctor import examine as examination
from isshoni.environments.aws.doctor.examine import examine
from isshoni.environments.checks import Check
from tests.support.aws.account import Account, make_account
from tests.support.aws.moto_server import REGION
from tests.support.command import Ended, finish

KEYS = ("staging/blue.tfstate", "staging/green.tfstate")


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


def test_no_message_advises_to_force_past_an_unreachable_network() -> None:
    source = Path(examination.__file__).parents[3]
    for file in source.rglob("*.py"):
        for text in re.findall(r'"[^"\n]*--force[^"\n]*"', file.read_text()):
            assert not re.search(r"reach|network|VPC|admin port|unreach|answer", text), file


async def run_doctor(config: AwsConfig, *words: str) -> Ended:
    """Run the command on this environment, which isshoni.toml calls `staging`."""
    file = config.terraform / "isshoni.toml"
    file.write_text(
        f'[environments.staging]\nkind = "aws"\nterraform = "."\nname = "{config.name}"\n'
        f'terraform_program = "sh"\nbackend = {{ bucket = "{config.backend["bucket"]}" }}\n'
    )
    return await finish(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "isshoni.cli", "doctor", *words,
            env={**os.environ, "ISSHONI_CONFIG": str(file)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
    )  # fmt: skip


async def test_command_exits_with_4_if_a_check_fails_and_prints_all_of_them(
    config: AwsConfig, account: Account, aws_api: AwsApi
) -> None:
    name = account.outputs["alarm_names"][0]
    aws_api.call_now("cloudwatch", "delete_alarms", AlarmNames=[name])
    ended = await run_doctor(config, "--environment", "staging", "--json")
    checks = {check["name"]: check["ok"] for check in ended.json}
    assert ended.code == 4
    assert (checks["ground"], checks["locks"], checks["alarms"]) == (True, True, False)


async def test_command_repairs_no_environment_on_aws(config: AwsConfig) -> None:
    ended = await run_doctor(config, "--environment", "staging", "--fix")
    assert ended.code == 2 and "local environments only" in ended.err
