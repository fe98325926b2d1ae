"""What must hold of the machine that deploys, and of who may ask it to: see `checks`."""

import json
import re

from tests.support.terraform.plan import Plan, Resource, statements

_ISSUER = "token.actions.githubusercontent.com"
_CODE = ("v1; id", "$(id)", "`id`", "v1\nid", "--force", "a b", "")
"""Values that a shell, or the command, would take for more than a version."""
_PATTERN_CHARACTERS = frozenset("*?")


def check_runner(plan: Plan) -> list[str]:
    """Return what would let others than Session Manager reach the runner, or its credentials."""
    faults = []
    for machine in plan.of_type("aws_instance"):
        values = machine.values
        if values["associate_public_ip_address"] is not False:
            faults.append(f"{machine.address}: gets a public address")
        if values.get("key_name"):
            faults.append(f"{machine.address}: lets SSH in by a key")
        if values["metadata_options"][0]["http_tokens"] != "required":
            faults.append(f"{machine.address}: gives out credentials without IMDSv2")
        if not values["root_block_device"][0]["encrypted"]:
            faults.append(f"{machine.address}: has a disk that is not encrypted")
    return faults


def check_runner_command(plan: Plan) -> list[str]:
    """Return the documents that would run what a workflow writes into a parameter."""
    faults = []
    for document in plan.of_type("aws_ssm_document"):
        parameters = json.loads(document.values["content"])["parameters"]
        for name, parameter in parameters.items():
            pattern = parameter.get("allowedPattern", "")
            takes_code = any(re.search(pattern, text) for text in _CODE)
            if not pattern or takes_code:
                faults.append(f"{document.address}: {name} may be any text")
    return faults


def check_workflow_trust(plan: Plan) -> list[str]:
    """Return the roles that more than one environment of one repository may assume."""
    return [
        f"{role.address}: {fault}"
        for role in plan.of_type("aws_iam_role")
        for fault in _find_wide_trust(role)
    ]


def _find_wide_trust(role: Resource) -> list[str]:
    faults = []
    for statement in statements(role.values["assume_role_policy"] or '{"Statement": []}'):
        if "Federated" not in statement["Principal"]:
            continue
        exact = statement.get("Condition", {}).get("StringEquals", {})
        subject = exact.get(f"{_ISSUER}:sub", "")
        if exact.get(f"{_ISSUER}:aud") != "sts.amazonaws.com":
            faults.append("takes tokens that were made for others")
        if ":environment:" not in subject or _PATTERN_CHARACTERS & set(subject):
            faults.append(f"lets {subject or 'every workflow on GitHub'} in")
    return faults
