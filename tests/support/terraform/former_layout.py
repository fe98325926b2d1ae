"""An environment as version 0.2.0 left it: one state, which has the machines of blue too."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.aws.moto_server import REGION
from tests.support.terraform.applied import Applied
from tests.support.terraform.composition import ACCOUNT
from tests.support.terraform.program import own_environment

BUCKET = "former-states"
_COMPUTE = "module.region.module.compute"
_FORMER_NAMES = {
    "aws_launch_template": ("colour", "blue"),
    "aws_autoscaling_group": ("blue", 0),
}
"""By type: name and key of what the colour calls `this[0]`."""
_PROVIDER = 'provider "aws" {\n  max_retries = 3\n}\n'
_BACKEND = f"""bucket     = "{BUCKET}"
region     = "{REGION}"
kms_key_id = "arn:aws:kms:{REGION}:{ACCOUNT}:alias/isshoni-state"
"""


class FormerLayout:
    """A copy of an applied ground whose state is in a bucket, under the key that it had."""

    def __init__(self, applied: Applied, folder: Path) -> None:
        self._environment = {**own_environment(), **applied.composition.environment}
        del self._environment["TF_IN_AUTOMATION"]  # it would not ask, as it does at a terminal
        tree = folder / "terraform"
        shutil.copytree(applied.composition.tree, tree, symlinks=True)
        self.ground = tree / "compositions" / "staging"
        self.former = self._join_states()
        self._forget_backends()
        applied.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        (self.ground / "backend.hcl").write_text(_BACKEND)
        self.run("terraform init -backend-config=backend.hcl -backend-config=key=staging.tfstate")
        (self.ground / "former.json").write_text(json.dumps(self.former))
        self.run("terraform state push former.json")

    def run(self, command: str, folder: Path | None = None) -> tuple[str, Path]:
        """Type a command and answer yes; return what it wrote, and the folder it ends in."""
        done = subprocess.run(
            ["bash", "-c", f"{command.partition('  #')[0]}\ncode=$?; echo; pwd; exit $code"],
            cwd=folder or self.ground,
            env=self._environment,
            input="yes\nyes\n",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        written, _, end = done.stdout.rstrip().rpartition("\n")
        return written, Path(end)

    def _join_states(self) -> dict[str, Any]:
        """Return the ground's state with blue's machines in it, by their former names."""
        state: dict[str, Any] = json.loads((self.ground / "terraform.tfstate").read_text())
        blue = json.loads((self.ground / "blue" / "terraform.tfstate").read_text())
        for resource in blue["resources"]:
            if resource["type"] in _FORMER_NAMES and resource["mode"] == "managed":
                name, key = _FORMER_NAMES[resource["type"]]
                (instance,) = resource["instances"]
                instance.pop("dependencies", None)
                former = {"module": _COMPUTE, "name": name}
                instances = [instance | {"index_key": key}]
                state["resources"].append(resource | former | {"instances": instances})
        return state

    def _forget_backends(self) -> None:
        for folder in (self.ground, self.ground / "blue", self.ground / "green"):
            for file in (*folder.glob("terraform.tfstate*"), *folder.glob(".terraform/*.tfstate")):
                file.unlink()
            (folder / "test_override.tf").write_text(_PROVIDER)


def read_migration(guide: str) -> Iterator[str]:
    """Yield the guide's commands from the layout of 0.2.0, but for the deploy at the end."""
    part = guide[guide.index("**From the layout of 0.2.0**") :]
    block = re.search(r"(?m)(?:^    .+\n)+", part)
    assert block is not None
    for command in re.sub(r"\\\n\s*", " ", block[0]).splitlines():
        if not command.strip().startswith("isshoni "):
            yield command.strip()
