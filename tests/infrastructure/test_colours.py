"""The compositions of the colours: what is typed there can touch that colour only, and no users."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.preview import preview_slot
from isshoni.environments.aws.terraform import Terraform, TerraformSettings
from isshoni.rollout.model import Colour
from tests.infrastructure.mistakes import MACHINE_MISTAKES, Mistake
from tests.support.aws.account import ADMIN_PORT, BACKEND_PORT, Account, make_account
from tests.support.aws.moto_server import REGION, aws_environment
from tests.support.terraform.checks import Check
from tests.support.terraform.composition import SLOTS, Composition
from tests.support.terraform.plan import Plan
from tests.support.terraform.program import Done

pytestmark = [pytest.mark.timeout(300), pytest.mark.spec("D2")]
GUIDE = ("-var", "target_group=green", "-var", "image_version=v1.1")
"""What the operator's guide types, literally."""


class Ground:
    """An account in which the ground was applied, and the copy of the compositions used on it."""

    def __init__(self, api: AwsApi, account: Account, endpoint: str, tree: Path) -> None:
        self.api, self.account = api, account
        self._endpoint, self._tree = endpoint, tree
        self._ready: dict[str, Composition] = {}

    def slot(self, colour: Colour) -> Composition:
        """Return the composition of a colour of staging, ready to use."""
        if colour not in self._ready:
            made = Composition(
                f"staging/{colour}", self._tree, self._endpoint, name=self.account.name
            )
            made.bend()
            made.init()
            made.write_variables()
            self._ready[colour] = made
        return self._ready[colour]

    def apply(self, colour: Colour, *words: str) -> Done:
        """Type `terraform apply` in the folder of a colour."""
        return self.slot(colour).run("apply", "-auto-approve", "-input=false", "-no-color", *words)

    def must_apply(self, colour: Colour, *words: str) -> None:
        """Type it, and again if it fails, without what the first attempt made.

        Under load the server drops a connection now and then. The provider repeats a call that was
        obeyed already, and stumbles over what it has made itself.
        """
        if self.apply(colour, *words).code == 0:
            return
        if not self.find_machines(colour):
            with contextlib.suppress(AwsFault):
                name = self.account.outputs["autoscaling_group_names"][colour]
                self.api.call_now("ec2", "delete_launch_template", LaunchTemplateName=name)
        done = self.apply(colour, *words)
        assert done.code == 0, done.err

    def plan(self, colour: Colour, *words: str) -> Plan:
        """Plan in the folder of a colour."""
        return self.slot(colour).plan(*words)

    def set_weights(self, **weights: int) -> None:
        """Do what the engine does with the listener."""
        groups = self.account.outputs["target_group_arns"]
        shares = [{"TargetGroupArn": groups[c], "Weight": weight} for c, weight in weights.items()]
        self.api.call_now(
            "elbv2",
            "modify_listener",
            ListenerArn=self.account.outputs["listener_arn"],
            DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
        )

    def find_machines(self, colour: Colour) -> list[str]:
        """Return the ids of the machines of a colour."""
        name = self.account.outputs["autoscaling_group_names"][colour]
        found = self.api.call_now(
            "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name]
        )
        return [i["InstanceId"] for group in found["AutoScalingGroups"] for i in group["Instances"]]


@pytest.fixture(scope="module")
def ground(terraform_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Provide an account with blue live at v1.0, and green empty."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(terraform_endpoint).items():
            patch.setenv(name, value)
        api = AwsApi(REGION, timeout_seconds=30.0)
        account = make_account(api)
        publish(api, account)
        made = Ground(api, account, terraform_endpoint, tmp_path_factory.mktemp("colours"))
        made.must_apply("blue", "-var", "target_group=blue", "-var", "image_version=v1.0")
        yield made


@pytest.fixture(scope="module")
def machines(ground: Ground) -> Plan:
    """Provide the plan of a colour that is not live."""
    return ground.plan("green", *GUIDE)


def publish(api: AwsApi, account: Account) -> None:
    """Publish what the ground publishes for its colours."""
    outputs = account.outputs
    published: dict[str, Any] = {
        "region": REGION,
        "listener_arn": outputs["listener_arn"],
        "target_group_arns": outputs["target_group_arns"],
        "image_repository": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/isshoni",
        "clusters": outputs["clusters"],
        "instances_per_colour": 2,
        "max_instances_per_colour": 4,
        "scaling": {"connections_per_instance": 5000, "cpu_pct": 60},
        "instance_type": "t3.small",
        "subnet_ids": account.subnets,
        "security_group_id": "sg-12345678",
        "instance_profile_arn": "arn:aws:iam::123456789012:instance-profile/isshoni",
        "execution_role_arn": "arn:aws:iam::123456789012:role/isshoni-execution",
        "task_role_arn": "arn:aws:iam::123456789012:role/isshoni-task",
        "log_groups": outputs["log_groups"],
        "metrics_namespace": "Isshoni",
        "backend_port": BACKEND_PORT,
        "admin_port": ADMIN_PORT,
        "origin": "https://chat.example.com",
        "redis_endpoint": "redis.example.com:6379",
        "redis_wait_replicas": 1,
        "sessions": {"expiry_days": 0, "max_stored": 0},
        "redis_secret": outputs["redis_secret"],
        "backend_secret": outputs["backend_secret"],
        "backend_variables": ["ISSHONI_ADMIN_TOKEN", "ISSHONI_LOG_SECRET"],
    }
    api.call_now(
        "ssm",
        "put_parameter",
        Name=f"/{account.name}/colours",
        Type="String",
        Value=json.dumps(published),
    )


def says(done: Done) -> str:
    """Return Terraform's error on one line, without its frame."""
    return " ".join(done.err.replace("│", " ").split())


def test_a_dry_run_shows_the_plan_of_the_colour_and_its_price(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = ground.slot("green")
    for name, value in slot.environment.items():
        monkeypatch.setenv(name, value)
    terraform = Terraform(TerraformSettings("terraform", slot.folder, {}, 120.0))
    wanted = {"target_group": "green", "image_version": "v1.1", "instances": "3"}
    seen = asyncio.run(preview_slot(terraform, wanted))
    assert seen.fault is None
    assert "create module.colour.aws_autoscaling_group.this[0]" in seen.changes
    assert seen.cost is not None and seen.cost.startswith("3 × t3.small with 30 GB: about 0.08 US")
    assert ground.find_machines("green") == []
    live = asyncio.run(preview_slot(terraform, {"target_group": "blue", "image_version": "v1.1"}))
    assert live.fault is not None and "terraform plan" in live.fault


def test_the_guides_command_starts_the_idle_colour_and_leaves_the_live_one(ground: Ground) -> None:
    live = ground.find_machines("blue")
    ground.must_apply("green", *GUIDE)
    assert len(ground.find_machines("green")) == 2
    assert ground.find_machines("blue") == live
    assert ground.plan("green", *GUIDE).changed == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-var", "target_group=blue", "-var", "image_version="), "blue is live"),
        (("-var", "target_group=blue", "-var", "image_version=v1.1"), "blue is live"),
        (
            ("-var", "target_group=blue", "-var", "image_version=", "-var", "drained=true"),
            "blue is live: it gets 100 % of the new connections",
        ),
        (GUIDE, "This folder is about blue"),
        (("-var", "target_group=blue", "-var", "image_version={}"), "An image tag has up to 128"),
        (("-destroy", "-var", "target_group=blue", "-var", "image_version="), "Instance cannot be"),
    ],
)
def test_what_is_typed_in_the_folder_of_the_live_colour_touches_nothing(
    ground: Ground, words: tuple[str, ...], why: str
) -> None:
    live = ground.find_machines("blue")
    assert len(live) == 2
    done = ground.apply("blue", *words)
    assert done.code == 1
    assert why in says(done)
    assert ground.find_machines("blue") == live


def test_machines_without_a_weight_may_have_users_until_they_are_drained(ground: Ground) -> None:
    ground.must_apply("green", *GUIDE)
    ground.set_weights(blue=0, green=100)
    end = ("-var", "target_group=blue", "-var", "image_version=")
    refused = ground.apply("blue", *end)
    assert refused.code == 1
    assert "blue has 2 machines of another version" in says(refused)
    assert len(ground.find_machines("blue")) == 2
    ground.must_apply("blue", *end, "-var", "drained=true")
    assert ground.find_machines("blue") == []
    assert len(ground.find_machines("green")) == 2


@pytest.mark.parametrize(("check", "mistake"), MACHINE_MISTAKES.values(), ids=MACHINE_MISTAKES)
def test_a_mistake_about_machines_is_seen(machines: Plan, check: Check, mistake: Mistake) -> None:
    assert check(machines) == []
    spoilt = machines.copy()
    mistake(spoilt)
    assert check(spoilt) != []


@pytest.mark.parametrize("name", SLOTS)
def test_the_compositions_of_all_colours_are_one_text(name: str, ground: Ground) -> None:
    """Only what they are called differs, so what is shown of staging is true of all."""
    folder = ground.slot("blue").folder.parents[1]
    for file in ("main.tf", "variables.tf", "outputs.tf", "versions.tf"):
        assert read_without_names(folder / name / file, name) == read_without_names(
            folder / "staging/blue" / file, "staging/blue"
        )


def read_without_names(file: Path, name: str) -> str:
    """Return the text of a composition without environment, colour and region."""
    environment, _, colour = name.rpartition("/")
    text = file.read_text().replace(name, "NAME").replace(f'"{environment}"', '"ENVIRONMENT"')
    text = text.replace(f'"{environment.partition("/")[0]}"', '"ENVIRONMENT"')
    text = text.replace(colour, "COLOUR").replace(
        {"blue": "green", "green": "blue"}[colour], "OTHER"
    )
    return re.sub(r"(\.\./)+|eu-(west|central)-1", "", text)
