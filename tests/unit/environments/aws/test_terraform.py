"""Terraform as a program: whatever it does, nothing of it is left behind."""

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from isshoni.environments.aws.errors import TerraformFault
from isshoni.environments.aws.preview import preview_slot
from isshoni.environments.aws.prices import read_prices
from isshoni.environments.aws.terraform import Terraform, TerraformSettings, as_variable
from isshoni.environments.aws.terraform_plan import Change, list_foreign, read_changes
from isshoni.environments.place import Preview
from isshoni.environments.waiting import wait_until

UNLOCKS = """
import os, pathlib, signal, sys
def unlock(*_):
    pathlib.Path("end").write_text("unlocked")
    sys.exit(1)
signal.signal(signal.SIGINT, unlock)
pathlib.Path("pid").write_text(str(os.getpid()))
while True:
    signal.pause()
"""
"""A program that hears SIGINT, as Terraform does, though whoever runs the tests ignores it:
a shell cannot."""


def make(folder: Path, script: str, timeout_seconds: float = 20.0) -> Terraform:
    """Make a Terraform that is a shell script."""
    program = folder / "terraform"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return Terraform(TerraformSettings(str(program), folder, {"name": "a"}, timeout_seconds))


async def read_pid(file: Path) -> int:
    def written() -> str:
        return file.read_text().strip() if file.exists() else ""

    assert await wait_until(lambda: written().isdigit(), 20.0)
    return int(written())


async def is_gone(pid: int) -> bool:
    def gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    return await wait_until(gone, 20.0)


async def test_variables_of_the_configuration_and_of_the_deploy_are_passed(tmp_path: Path) -> None:
    terraform = make(tmp_path, 'echo "$@" >> said; echo "{}"\n')
    given = {"image_version": "v1", "drained": as_variable(True)}
    assert await terraform.plan(given, tmp_path / "plan") == []
    said = (tmp_path / "said").read_text()
    assert "-var=name=a -var=image_version=v1 -var=drained=true" in said
    assert "-lock-timeout=18s" in said


async def test_the_settings_of_the_backend_travel_with_the_composition(tmp_path: Path) -> None:
    make(tmp_path, 'echo "$@" >> said\n')
    backend = {"bucket": "b", "kms_key_id": "k"}
    settings = TerraformSettings(str(tmp_path / "terraform"), tmp_path, {}, 20.0, backend)
    await Terraform(settings).init()
    said = (tmp_path / "said").read_text()
    assert "-backend-config=bucket=b -backend-config=kms_key_id=k" in said


async def test_credentials_of_a_role_replace_those_of_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of the other region")
    make(tmp_path, 'echo "$AWS_ACCESS_KEY_ID ${AWS_PROFILE-no profile} $TF_INPUT" >> said\n')
    given = iter(({"AWS_ACCESS_KEY_ID": "one"}, {"AWS_ACCESS_KEY_ID": "two"}))
    settings = TerraformSettings(
        str(tmp_path / "terraform"), tmp_path, {}, 20.0, read_credentials=lambda: next(given)
    )
    terraform = Terraform(settings)
    await terraform.init()
    await terraform.init()
    assert (tmp_path / "said").read_text() == "one no profile 0\ntwo no profile 0\n"


async def test_a_failed_run_is_reported_with_its_error(tmp_path: Path) -> None:
    terraform = make(tmp_path, "echo 'Error: No such AMI' >&2; exit 1\n")
    with pytest.raises(TerraformFault, match="terraform apply: No such AMI"):
        await terraform.apply(tmp_path / "plan")


async def test_a_missing_program_is_reported(tmp_path: Path) -> None:
    terraform = Terraform(TerraformSettings(str(tmp_path / "nope"), tmp_path, {}, 5.0))
    with pytest.raises(TerraformFault, match="install Terraform"):
        await terraform.init()


async def test_providers_that_a_dead_terraform_left_are_reaped(tmp_path: Path) -> None:
    terraform = make(tmp_path, "sleep 600 >&- 2>&- & echo $! > provider; kill -9 $$\n")
    with pytest.raises(TerraformFault):
        await terraform.init()
    assert await is_gone(await read_pid(tmp_path / "provider"))


ENGINE = """
import asyncio, sys
from pathlib import Path
from isshoni.environments.aws.terraform import Terraform, TerraformSettings
folder = Path(sys.argv[1])
settings = TerraformSettings(str(folder / "terraform"), folder, {}, 60.0)
asyncio.run(Terraform(settings).apply(folder / "plan"))
"""


@pytest.mark.spec("C7")
async def test_terraform_ends_its_change_when_the_engine_is_killed(tmp_path: Path) -> None:
    make(
        tmp_path,
        "echo $$ > pid\nwhile [ ! -e go ]; do sleep 0.05; done\n"
        "echo creating\necho warning >&2\necho unlocked > end\n",
    )
    engine = await asyncio.create_subprocess_exec(sys.executable, "-c", ENGINE, str(tmp_path))
    pid = await read_pid(tmp_path / "pid")
    engine.kill()
    await engine.wait()
    (tmp_path / "go").touch()
    assert await is_gone(pid)
    assert (tmp_path / "end").read_text() == "unlocked\n"


async def test_a_cancelled_run_may_unlock_its_state_first(tmp_path: Path) -> None:
    running = asyncio.create_task(make(tmp_path, f"exec {sys.executable} -c '{UNLOCKS}'\n").init())
    pid = await read_pid(tmp_path / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await is_gone(pid)
    assert (tmp_path / "end").read_text() == "unlocked"


async def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    terraform = make(tmp_path, "echo $$ > pid; exec sleep 600\n", timeout_seconds=0.5)
    with pytest.raises(TerraformFault, match=r"over 0\.5 s"):
        await terraform.init()
    assert await is_gone(await read_pid(tmp_path / "pid"))


def test_a_deploy_may_change_the_machines_of_one_colour_only() -> None:
    own = [
        Change("module.colour.aws_autoscaling_group.this[0]", ("create",)),
        Change("module.colour.aws_launch_template.this[0]", ("create",)),
    ]
    foreign = [
        Change("module.region.module.redis.aws_elasticache_replication_group.this", ("delete",)),
        Change("module.colours.aws_autoscaling_group.this[0]", ("create",)),
        Change("aws_sns_topic.mine", ("update",)),
    ]
    assert list_foreign([*own, *foreign]) == foreign
    assert str(foreign[0]).startswith("- module.region")


def test_what_stays_as_it_is_is_no_change() -> None:
    plan = b"""{"resource_changes": [
      {"address": "a", "change": {"actions": ["no-op"]}},
      {"address": "b", "change": {"actions": ["read"]}},
      {"address": "c", "change": {"actions": ["delete", "create"]}}]}"""
    assert read_changes(plan) == [Change("c", ("delete", "create"))]
    with pytest.raises(TerraformFault, match="cannot be read"):
        read_changes(b"nonsense")


def plan_of(machine: str, *more: dict[str, object]) -> str:
    """Return a plan that starts three machines, as `terraform show -json` prints it."""
    template = {
        "instance_type": machine,
        "block_device_mappings": [{"ebs": [{"volume_size": 30}]}],
    }
    group = {"desired_capacity": 3, "min_size": 2}
    changes: list[dict[str, object]] = [
        {
            "address": f"module.colour.{kind}.this[0]",
            "type": kind,
            "change": {"actions": ["create"], "after": after},
        }
        for kind, after in (("aws_launch_template", template), ("aws_autoscaling_group", group))
    ]
    return json.dumps({"resource_changes": [*changes, *more]})


async def preview(
    folder: Path, plan: str, own_prices: Mapping[str, float] | None = None
) -> Preview:
    (folder / "plan.json").write_text(plan)
    script = 'echo "$@" >> said\n[ "$1" != show ] || cat plan.json\n'
    return await preview_slot(make(folder, script), {"image_version": "v2"}, own_prices)


async def test_a_preview_shows_the_changes_in_words_and_their_cost(tmp_path: Path) -> None:
    seen = await preview(tmp_path, plan_of("c7i.large"))
    assert seen.changes == (
        "create module.colour.aws_launch_template.this[0]",
        "create module.colour.aws_autoscaling_group.this[0]",
    )
    assert seen.fault is None
    assert seen.cost is not None
    assert "3 × c7i.large with 30 GB: about 0.30 US dollars an hour" in seen.cost
    assert "list prices of eu-west-1, written down in 20" in seen.cost
    assert "may be wrong" in seen.cost and '"c7i.large" in `prices`' in seen.cost
    said = (tmp_path / "said").read_text()
    assert "-lock=false" in said and "-lock-timeout" not in said
    assert "apply" not in said


async def test_a_preview_of_a_new_group_counts_the_machines_that_were_asked_for(
    tmp_path: Path,
) -> None:
    plan = json.loads(plan_of("t3.small"))
    group = plan["resource_changes"][1]["change"]["after"]
    del group["desired_capacity"]
    group["max_size"] = 6
    for asked, started in (("4", 4), ("0", 2), ("9", 6)):
        plan["variables"] = {"instances": {"value": asked}}
        seen = await preview(tmp_path, json.dumps(plan))
        assert seen.cost is not None and seen.cost.startswith(f"{started} × t3.small")


async def test_a_preview_of_machines_without_a_known_price_says_so(tmp_path: Path) -> None:
    seen = await preview(tmp_path, plan_of("z9.huge"))
    assert seen.cost is not None
    assert seen.cost.startswith("3 × z9.huge with 30 GB: no price of z9.huge is known here; ")


async def test_own_prices_go_before_the_list(tmp_path: Path) -> None:
    seen = await preview(tmp_path, plan_of("z9.huge"), {"z9.huge": 10.0})
    assert seen.cost is not None and "about 30.01 US dollars an hour" in seen.cost
    assert "the price in isshoni.toml" in seen.cost and "may be wrong" not in seen.cost


async def test_a_preview_says_what_a_deploy_would_refuse(tmp_path: Path) -> None:
    other: dict[str, object] = {
        "address": "aws_vpc.this",
        "type": "aws_vpc",
        "change": {"actions": ["delete", "create"], "after": {}},
    }
    seen = await preview(tmp_path, plan_of("t3.small", other))
    assert "replace aws_vpc.this" in seen.changes
    assert seen.fault is not None and "would be refused" in seen.fault


async def test_a_preview_that_terraform_refuses_quotes_its_reason(tmp_path: Path) -> None:
    script = '[ "$1" = init ] && exit 0\necho "Error: blue is live" >&2; exit 1\n'
    seen = await preview_slot(make(tmp_path, script), {"image_version": "v2"})
    assert seen.changes == ()
    assert seen.fault == "terraform plan: blue is live"


def test_prices_have_a_date_and_a_region() -> None:
    prices = read_prices()
    assert re.fullmatch(r"20\d\d-\d\d", prices.as_of)
    assert prices.region == "eu-west-1"
    assert all(price > 0 for price in prices.machine_hour.values())
