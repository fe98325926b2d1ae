"""A stand-in for Terraform where only the engine is tested: the same words, the same effect.

Run as a program, VERB and its words, in the folder `blue` or `green` beside an `account.json`. It
knows `init`, `plan`, `show` and `apply`, and of variables `target_group`, `image_version`,
`drained` and `instances`. A change holds the lock of the state as in a local file. While there is a
file `hang` beside `account.json`, an apply hangs.
It is the standard library only, for a run starts it a dozen times. The real Terraform is
driven by the tests of `infrastructure/`.
"""

import contextlib
import fcntl
import getpass
import json
import os
import re
import signal
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK, LOCK_INFO = Path(".lock"), Path(".terraform.tfstate.lock.info")


def main(verb: str, words: list[str]) -> None:
    account = json.loads(Path("../account.json").read_text())
    os.environ["AWS_DEFAULT_REGION"] = account["outputs"]["region"]
    if verb == "init":
        Path(".terraform").mkdir(exist_ok=True)
    elif verb == "plan":
        with locked(verb, words):
            plan(account, words)
    elif verb == "show":
        changes = json.loads(Path(words[-1]).read_text())["changes"]
        print(json.dumps({"format_version": "1.2", "resource_changes": changes}))
    elif verb == "apply":
        planned = json.loads(Path(words[-1]).read_text())
        with locked(verb, words):
            while Path("../hang").exists():
                time.sleep(0.05)
            apply(account, planned["image_version"], planned["instances"])
    else:
        sys.exit(f"Error: no such verb: {verb}")


@contextlib.contextmanager
def locked(verb: str, words: list[str]) -> Iterator[None]:
    """Lock the state until the context ends; after `kill -9` the file with its holder is left."""
    given = next((w for w in words if w.startswith("-lock-timeout=")), "-lock-timeout=0s")
    until = time.monotonic() + float(given.partition("=")[2].removesuffix("s"))
    with LOCK.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    held = json.loads(LOCK_INFO.read_text())
                    sys.exit("Error: Error acquiring the state lock\n\nLock Info:\n"
                             f"  ID:        {held['ID']}\n  Who:       {held['Who']}")  # fmt: skip
                time.sleep(0.05)
        who = f"{getpass.getuser()}@{os.uname().nodename}"
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        said = {"ID": f"lock-{os.getpid()}", "Operation": f"OperationType{verb.title()}"}
        LOCK_INFO.write_text(json.dumps({**said, "Who": who, "Created": created}))
        try:
            yield
        finally:
            LOCK_INFO.unlink(missing_ok=True)


def plan(account: dict[str, Any], words: list[str]) -> None:
    given = dict(w.removeprefix("-var=").split("=", 1) for w in words if w.startswith("-var="))
    colour, wanted = Path.cwd().name, given["image_version"]
    if given["target_group"] != colour:
        sys.exit(f"Error: Invalid value for variable\n\nThis folder is about {colour}.")
    runs = find_version(account, colour)
    changes = []
    if runs != (wanted or None):
        if runs and given["drained"] != "true":
            sys.exit("Error: Resource precondition failed\n\nThe machines may have users.")
        actions = ["delete"] if not wanted else ["update" if runs else "create"]
        address = "module.colour.aws_autoscaling_group.this[0]"
        changes.append({"address": address, "change": {"actions": actions}})
    out = next(word for word in words if word.startswith("-out=")).removeprefix("-out=")
    instances = int(given["instances"]) or account["machines"]
    planned = {"changes": changes, "image_version": wanted, "instances": instances}
    Path(out).write_text(json.dumps(planned))


def apply(account: dict[str, Any], wanted: str, instances: int) -> None:
    colour = Path.cwd().name
    runs = find_version(account, colour)
    if runs is not None and runs != wanted:
        destroy(account, colour)
    if wanted and runs != wanted:
        create(account, colour, wanted, instances)


def name_group(account: dict[str, Any], colour: str) -> str:
    return str(account["outputs"]["autoscaling_group_names"][colour])


def find_version(account: dict[str, Any], colour: str) -> str | None:
    name = name_group(account, colour)
    found = call("DescribeAutoScalingGroups", {"AutoScalingGroupNames.member.1": name})
    tag = re.search(r"<Value>([^<]*)</Value>\s*<Key>isshoni:version</Key>", found) or re.search(
        r"<Key>isshoni:version</Key>\s*<Value>([^<]*)</Value>", found
    )
    return tag[1] if tag else None


def create(account: dict[str, Any], colour: str, version: str, instances: int) -> None:
    name = name_group(account, colour)
    template = {"ImageId": account["image"], "InstanceType": "t3.small"}
    call("CreateLaunchConfiguration", {"LaunchConfigurationName": name, **template})
    group = {
        "AutoScalingGroupName": name,
        "LaunchConfigurationName": name,
        "VPCZoneIdentifier": ",".join(account["subnets"]),
        "TargetGroupARNs.member.1": account["outputs"]["target_group_arns"][colour],
    }
    sizes = {"MinSize": "1", "MaxSize": "9", "DesiredCapacity": str(instances)}
    sizes["NewInstancesProtectedFromScaleIn"] = "true"
    tags = {"Name": name, "isshoni:colour": colour, "isshoni:version": version}
    tags["isshoni:instances"] = str(instances)
    for number, (key, value) in enumerate(tags.items(), start=1):
        tag = f"Tags.member.{number}"
        group |= {f"{tag}.Key": key, f"{tag}.Value": value, f"{tag}.PropagateAtLaunch": "true"}
        group |= {f"{tag}.ResourceId": name, f"{tag}.ResourceType": "auto-scaling-group"}
    call("CreateAutoScalingGroup", group | sizes)
    hook = {"AutoScalingGroupName": name, "LifecycleHookName": "evacuate"}
    hook["LifecycleTransition"] = "autoscaling:EC2_INSTANCE_TERMINATING"
    call("PutLifecycleHook", hook)


def destroy(account: dict[str, Any], colour: str) -> None:
    name = name_group(account, colour)
    call("DeleteLifecycleHook", {"AutoScalingGroupName": name, "LifecycleHookName": "evacuate"})
    call("DeleteAutoScalingGroup", {"AutoScalingGroupName": name, "ForceDelete": "true"})
    call("DeleteLaunchConfiguration", {"LaunchConfigurationName": name})


def call(action: str, fields: dict[str, str]) -> str:
    body = urllib.parse.urlencode({"Action": action, "Version": "2011-01-01", **fields})
    scope = f"test/20260101/{os.environ['AWS_DEFAULT_REGION']}/autoscaling/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"
    url = os.environ["AWS_ENDPOINT_URL"]
    request = urllib.request.Request(url, body.encode(), {"Authorization": signed})
    with urllib.request.urlopen(request, timeout=60) as answer:
        written: str = answer.read().decode()
        return written


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(sys.argv[1], sys.argv[2:])
