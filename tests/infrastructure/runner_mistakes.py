"""Mistakes about the machine that deploys to plant in a plan; see `mistakes`."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.terraform import runner_checks as checks
from tests.support.terraform.plan import Plan

Mistake = Callable[[Plan], None]
_RUNNER = "aws_instance.runner"
_ROLE = "aws_iam_role.github"
_ISSUER = "token.actions.githubusercontent.com"


def _set(attribute: str, value: object) -> Mistake:
    return lambda plan: plan.get(_RUNNER).values.update({attribute: value})


def _set_in_block(block: str, attribute: str, value: object) -> Mistake:
    return lambda plan: plan.get(_RUNNER).values[block][0].update({attribute: value})


def _take_any_version(plan: Plan) -> None:
    values = plan.get("aws_ssm_document.deploy").values
    content = json.loads(values["content"])
    content["parameters"]["Version"]["allowedPattern"] = ".*"
    values["content"] = json.dumps(content)


def _trust(change: Callable[[dict[str, Any]], None]) -> Mistake:
    def plant(plan: Plan) -> None:
        values = plan.get(_ROLE).values
        policy = json.loads(values["assume_role_policy"])
        change(policy["Statement"][0])
        values["assume_role_policy"] = json.dumps(policy)

    return plant


def _every_branch(statement: dict[str, Any]) -> None:
    statement["Condition"]["StringEquals"][f"{_ISSUER}:sub"] = "repo:example/chat:*"


def _every_workflow(statement: dict[str, Any]) -> None:
    del statement["Condition"]["StringEquals"][f"{_ISSUER}:sub"]


def _every_audience(statement: dict[str, Any]) -> None:
    del statement["Condition"]["StringEquals"][f"{_ISSUER}:aud"]


RUNNER_MISTAKES: dict[str, tuple[Callable[[Plan], list[str]], Mistake]] = {
    "a public runner": (checks.check_runner, _set("associate_public_ip_address", True)),
    "a key to the runner": (checks.check_runner, _set("key_name", "laptop")),
    "IMDSv1 on the runner": (
        checks.check_runner,
        _set_in_block("metadata_options", "http_tokens", "optional"),
    ),
    "a plain disk of the runner": (
        checks.check_runner,
        _set_in_block("root_block_device", "encrypted", False),
    ),
    "a version that is a command": (checks.check_runner_command, _take_any_version),
    "every branch may deploy": (checks.check_workflow_trust, _trust(_every_branch)),
    "every workflow may deploy": (checks.check_workflow_trust, _trust(_every_workflow)),
    "tokens for others": (checks.check_workflow_trust, _trust(_every_audience)),
}
