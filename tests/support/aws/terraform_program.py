"""A stand-in for Terraform where only the engine is tested: the same words, the same effect.

`python -m tests.support.aws.terraform_program VERB …` in a folder with an `account.json`.
It knows `init`, `output`, `plan`, `show` and `apply`, and of variables `image_version` and
`target_group`. The real Terraform is driven by the tests of `infrastructure/`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from isshoni.environments.aws.api import AwsApi
from isshoni.rollout.model import COLOURS
from tests.support.aws.moto_server import REGION

INSTANCES_PER_COLOUR = 2


def main(verb: str, words: list[str]) -> None:
    account = json.loads(Path("account.json").read_text())
    if verb == "init":
        Path(".terraform").mkdir(exist_ok=True)
    elif verb == "output":
        print(json.dumps(account["outputs"]))
    elif verb == "plan":
        plan(account, words)
    elif verb == "show":
        changes = json.loads(Path(words[-1]).read_text())["changes"]
        print(json.dumps({"format_version": "1.2", "resource_changes": changes}))
    elif verb == "apply":
        apply(account, json.loads(Path(words[-1]).read_text())["image_version"])
    else:
        sys.exit(f"Error: no such verb: {verb}")


def plan(account: dict[str, Any], words: list[str]) -> None:
    given = dict(w.removeprefix("-var=").split("=", 1) for w in words if w.startswith("-var="))
    wanted = json.loads(given["image_version"])
    if wanted and given["target_group"] not in wanted:
        sys.exit("Error: Invalid value for variable\n\nThe stable colour has no version here.")
    changes = []
    for colour in COLOURS:
        runs = find_version(account, colour)
        if runs != wanted.get(colour):
            actions = ["delete"] if colour not in wanted else ["update" if runs else "create"]
            address = f"module.region.module.compute.aws_autoscaling_group.{colour}[0]"
            changes.append({"address": address, "change": {"actions": actions}})
    out = next(word for word in words if word.startswith("-out=")).removeprefix("-out=")
    Path(out).write_text(json.dumps({"changes": changes, "image_version": wanted}))


def apply(account: dict[str, Any], wanted: dict[str, str]) -> None:
    for colour in COLOURS:
        runs = find_version(account, colour)
        if runs is not None and runs != wanted.get(colour):
            destroy(account, colour)
        if colour in wanted and runs != wanted[colour]:
            create(account, colour, wanted[colour])


def find_version(account: dict[str, Any], colour: str) -> str | None:
    name = account["outputs"]["autoscaling_group_names"][colour]
    found = API.call_now(
        "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name]
    )["AutoScalingGroups"]
    tags = {tag["Key"]: tag["Value"] for group in found for tag in group["Tags"]}
    return tags.get("isshoni:version")


def create(account: dict[str, Any], colour: str, version: str) -> None:
    name = account["outputs"]["autoscaling_group_names"][colour]
    API.call_now(
        "autoscaling",
        "create_launch_configuration",
        LaunchConfigurationName=name,
        ImageId=account["image"],
        InstanceType="t3.small",
    )
    tags = {"Name": name, "isshoni:colour": colour, "isshoni:version": version}
    API.call_now(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=INSTANCES_PER_COLOUR,
        MaxSize=INSTANCES_PER_COLOUR,
        DesiredCapacity=INSTANCES_PER_COLOUR,
        VPCZoneIdentifier=",".join(account["subnets"]),
        TargetGroupARNs=[account["outputs"]["target_group_arns"][colour]],
        Tags=[
            {
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": True,
                "ResourceId": name,
                "ResourceType": "auto-scaling-group",
            }
            for key, value in tags.items()
        ],
    )


def destroy(account: dict[str, Any], colour: str) -> None:
    name = account["outputs"]["autoscaling_group_names"][colour]
    API.call_now(
        "autoscaling", "delete_auto_scaling_group", AutoScalingGroupName=name, ForceDelete=True
    )
    API.call_now("autoscaling", "delete_launch_configuration", LaunchConfigurationName=name)


API = AwsApi(REGION)

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
