"""The example of a workflow on GitHub that deploys: it can be read, and keeps no secret."""

import re
import subprocess
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.terraform.composition import INFRASTRUCTURE

FILE = INFRASTRUCTURE.parent / "github" / "deploy.yml"
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text())
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["deploy"]["steps"]


def test_workflow_signs_in_by_its_token_and_has_no_long_lived_key() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read", "id-token": "write"}
    text = FILE.read_text()
    assert not re.search(r"secrets\.|access.key|AKIA|password", text, re.IGNORECASE)
    assert "role-to-assume" in STEPS[0]["with"]


def test_workflow_waits_for_the_one_before_and_is_bound_to_an_environment() -> None:
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False
    assert WORKFLOW["jobs"]["deploy"]["environment"] == "staging"


@pytest.mark.parametrize("step", [step for step in STEPS if "run" in step])
def test_script_of_the_workflow_is_bash_without_inputs_inside(step: dict[str, Any]) -> None:
    assert "${{" not in step["run"]
    done = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_outputs_of_the_ground_have_the_variables_of_the_workflow() -> None:
    named = set(re.findall(r"vars\.(\w+)", FILE.read_text()))
    assert named == {"AWS_REGION", "ISSHONI_ROLE", "ISSHONI_RUNNER", "ISSHONI_DOCUMENT"}
