"""The locks of the slots' states: what a killed engine left, and who still changes a slot."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from isshoni.environments.aws import state_locks as module
from isshoni.environments.aws.cloudwatch_logs import CloudWatchLogs
from isshoni.environments.aws.compute import AwsCompute
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.errors import AccessFault, NotThere
from isshoni.environments.aws.groups import Group, Groups, Instance
from isshoni.environments.aws.state_locks import Lock, StateLocks, explain_held
from isshoni.environments.aws.targets import Targets
from isshoni.environments.aws.terraform import Terraform
from isshoni.environments.aws.terraform_plan import Change
from isshoni.rollout.model import COLOURS, Colour, SlotState

LOCK = {
    "ID": "1b2c3d", "Operation": "OperationTypeApply", "Who": "ann@runner",
    "Created": "2026-11-26T10:00:00.123456789Z",
}  # fmt: skip


class Bucket:
    """A bucket with these objects, in place of `AwsApi`."""

    objects: Mapping[str, object] = {}

    def __init__(self, region: str, **settings: object) -> None:
        assert region == "eu-west-1"

    async def call(self, service: str, operation: str, **asked: Any) -> dict[str, Any]:
        assert (service, operation, asked["Bucket"]) == ("s3", "get_object", "states")
        found = Bucket.objects.get(asked["Key"])
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise NotThere("s3 get_object", "no such key", "NoSuchKey")
        return {"Body": io.BytesIO(json.dumps(found).encode())}


def a_config(folder: Path, backend: dict[str, str]) -> AwsConfig:
    for colour in COLOURS:
        (folder / colour).mkdir(exist_ok=True)
        text = f'backend "s3" {{\n  key = "staging/{colour}.tfstate"\n}}\n'
        (folder / colour / "versions.tf").write_text(text)
    return AwsConfig(kind="aws", terraform=folder, backend=backend, look_seconds=0.001)


async def test_a_lock_in_the_bucket_names_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AwsApi", Bucket)
    monkeypatch.setattr(Bucket, "objects", {"staging/green.tfstate.tflock": LOCK})
    locks = StateLocks(a_config(tmp_path, {"bucket": "states"}))
    lock = await locks.find("green")
    assert lock is not None
    assert lock.describe().startswith("is locked by ann@runner (OperationTypeApply) for ")
    assert locks.describe_unlock("green", lock) == (
        f"if that run is surely dead: `terraform -chdir={tmp_path}/green force-unlock 1b2c3d`"
    )
    assert await locks.find("blue") is None


@pytest.mark.parametrize("unreadable", [AccessFault("s3 get_object", "no"), "not a lock"])
async def test_a_lock_that_cannot_be_read_counts_as_free(
    unreadable: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AwsApi", Bucket)
    monkeypatch.setattr(Bucket, "objects", {"staging/green.tfstate.tflock": unreadable})
    assert await StateLocks(a_config(tmp_path, {"bucket": "states"})).find("green") is None


async def test_the_lock_of_a_state_in_a_file_is_read_too(tmp_path: Path) -> None:
    locks = StateLocks(a_config(tmp_path, {}))
    assert await locks.find("green") is None
    write_lock(tmp_path)
    locks.forget()
    lock = await locks.find("green")
    assert lock is not None and lock.id == "1b2c3d"


async def test_a_lock_of_a_state_in_a_file_is_not_to_be_forced(tmp_path: Path) -> None:
    config = a_config(tmp_path, {})
    folder = tmp_path / "green"
    forced = f"if that run is surely dead: `terraform -chdir={folder} force-unlock 1b2c3d`"
    assert explain_held(folder, "ann", "1b2c3d") == f"its state is locked by ann; {forced}"
    (folder / "versions.tf").unlink()
    lock = Lock("1b2c3d", "ann", "OperationTypeApply")
    assert StateLocks(config).describe_unlock("green", lock) == (
        f"if that run is surely dead: `rm {folder}/.terraform.tfstate.lock.info`"
    )
    said = explain_held(folder, "ann", "1b2c3d")
    assert "force-unlock" not in said and "that run still works" in said


def write_lock(folder: Path) -> Path:
    file = folder / "green" / ".terraform.tfstate.lock.info"
    file.write_text(json.dumps(LOCK))
    return file


class Account:
    """Groups, targets and Terraform of an account whose green is empty, at first."""

    def __init__(self, lock: Path) -> None:
        self.lock = lock
        self.green = Group()
        self.planned: list[Mapping[str, str]] = []

    def forget(self) -> None:
        """Nothing is remembered."""

    async def observe(self) -> Mapping[Colour, Group]:
        return {"blue": Group("v1", 1), "green": self.green}

    async def protect(self, colour: Colour, protected: bool) -> None:
        assert colour == "blue"

    async def deregister(self, colour: Colour) -> None:
        assert colour == "green"

    async def plan(self, variables: Mapping[str, str], file: Path) -> list[Change]:
        """Wait for the lock, while the run that holds it makes green."""
        assert self.lock.exists()
        self.lock.unlink()
        self.green = Group("v2", 1, (Instance("i-1", "127.0.0.1", "InService"),))
        self.planned.append(variables)
        return [Change("module.colour.aws_autoscaling_group.this[0]", ("delete",))]

    async def apply(self, file: Path) -> None:
        self.green = Group()


def a_locked_green(folder: Path, said: list[str]) -> tuple[AwsCompute, Account]:
    account = Account(write_lock(folder))
    compute = AwsCompute(
        terraform=dict.fromkeys(COLOURS, cast(Terraform, account)),
        groups=cast(Groups, account),
        targets=cast(Targets, account),
        locks=StateLocks(a_config(folder, {})),
        logs=cast(CloudWatchLogs, None),
        folder=folder,
        empty_seconds=30.0,
        say=said.append,
        prices={},
        check_rules=lambda: account.protect("blue", False),
        looks=(),
    )
    return compute, account


@pytest.mark.spec("C7")
async def test_a_stop_waits_for_terraform_that_outlived_its_engine_and_removes_what_it_made(
    tmp_path: Path,
) -> None:
    a_config(tmp_path, {})
    said: list[str] = []
    compute, account = a_locked_green(tmp_path, said)
    assert (await compute.observe_slots())["green"] == SlotState(changing=True)
    await compute.stop("green")
    assert [given["image_version"] for given in account.planned] == [""]
    assert account.green == Group()
    assert (await compute.observe_slots())["green"] == SlotState()
    await compute.stop("green")
    assert len(account.planned) == 1
    assert "the state of green is locked by ann@runner" in said[0]
    assert "force-unlock 1b2c3d" in said[0]
