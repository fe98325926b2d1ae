"""A private copy of a composition, bent only where the API server of the tests needs it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.aws.moto_server import aws_environment
from tests.support.terraform.plan import Plan
from tests.support.terraform.program import Done, run_terraform, write_cli_config

INFRASTRUCTURE = Path(__file__).parents[3] / "infrastructure" / "terraform"
GROUNDS = (
    "staging", "production", "multi-region/global", "multi-region/first", "multi-region/second",
    "multi-region/peering",
)  # fmt: skip
COMPOSITIONS = ("bootstrap", *GROUNDS)
"""Those that have no machines; those of the colours are in folders of the grounds."""
SLOTS = tuple(
    f"{ground}/{colour}"
    for ground in GROUNDS
    if ground not in ("multi-region/global", "multi-region/peering")
    for colour in ("blue", "green")
)
ACCOUNT = "123456789012"
"""The account that the API server plays."""

# Calls that the server does not know answer 500, which the provider would repeat for minutes;
# but under load it drops a connection now and then.
_LOCAL_STATE = """
terraform {
  backend "local" {}
}
"""
_PROVIDER = """
provider "aws" {
  max_retries = 3
}
"""
_SECOND_PROVIDER = """
provider "aws" {
  alias       = "%s"
  max_retries = 3
}
"""
_ALIASES = {
    "bootstrap": "replica",
    "multi-region/global": "second",
    "multi-region/peering": "second",
}

KNOWN_DRIFTS = {
    # The template's own tags come back as tags of what is started from it.
    "colour": {"aws_launch_template.this": "image_id, tag_specifications"},
    # A rule that names another security group comes back without its description.
    "security": {
        "aws_vpc_security_group_egress_rule.backend_to_redis": "description",
        "aws_vpc_security_group_egress_rule.load_balancer_to_backend": "description",
        "aws_vpc_security_group_egress_rule.operator_to_backend": "description",
        "aws_vpc_security_group_ingress_rule.backend_from_load_balancer": "description",
        "aws_vpc_security_group_ingress_rule.backend_from_operator": "description",
        "aws_vpc_security_group_ingress_rule.redis_from_backend": "description",
    },
}
"""What the API server forgets, by module: resource and attribute. Nothing else may drift."""


class Composition:
    """One composition in a copy of the tree, against an API server.

    Those in one `folder` share the copy.
    """

    def __init__(self, name: str, folder: Path, endpoint: str, /, **variables: object) -> None:
        self.name = name
        self.variables = variables if name in SLOTS else {"account_id": ACCOUNT, **variables}
        self.tree = folder / "terraform"
        self.folder = self.tree / "compositions" / name
        if not self.tree.exists():
            hidden = shutil.ignore_patterns(".terraform*")
            shutil.copytree(INFRASTRUCTURE, self.tree, ignore=hidden)
        self._environment = {
            **aws_environment(endpoint),
            "TF_CLI_CONFIG_FILE": str(write_cli_config(folder)),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def bend(self) -> None:
        """Keep the state here, give up soon, and overlook what the server forgets."""
        self.limit_retries(_LOCAL_STATE)
        for module, drifts in KNOWN_DRIFTS.items():
            blocks = [_ignore(address, attribute) for address, attribute in drifts.items()]
            (self.tree / "modules" / module / "test_override.tf").write_text("\n".join(blocks))

    def limit_retries(self, more: str = "") -> None:
        """Limit the provider to few retries; `more` is Terraform code to add to the override."""
        alias = _ALIASES.get(self.name)
        second = _SECOND_PROVIDER % alias if alias else ""
        (self.folder / "test_override.tf").write_text(more + _PROVIDER + second)

    def leave_out_lifecycles(self) -> None:
        """Remove the buckets' rules of expiry: the server returns them changed, for ever."""
        for file in (self.tree / "modules").glob("*/lifecycle.tf"):
            file.unlink()

    @property
    def environment(self) -> Mapping[str, str]:
        """What Terraform needs in its environment."""
        return self._environment

    def run(self, *words: str) -> Done:
        """Run Terraform here, to its end."""
        return run_terraform([*words], self.folder, self._environment)

    def must(self, *words: str) -> str:
        """Run Terraform here and have it succeed; gives what it wrote."""
        done = self.run(*words)
        assert done.code == 0, f"terraform {' '.join(words)}\n{done.out}\n{done.err}"
        return done.out

    def init(self) -> None:
        """Have the provider and the modules at hand."""
        self.must("init", "-input=false", "-no-color")

    def write_variables(self) -> None:
        """Write the variables where every run finds them."""
        text = json.dumps(self.variables)
        (self.folder / "terraform.tfvars.json").write_text(text)

    def plan(self, *words: str) -> Plan:
        """Plan, and read the plan."""
        self.write_variables()
        self.must("plan", "-input=false", "-no-color", "-out=plan", *words)
        plan: dict[str, Any] = json.loads(self.must("show", "-json", "plan"))
        return Plan(plan)


def _ignore(address: str, attribute: str) -> str:
    kind, name = address.split(".")
    return (
        f'resource "{kind}" "{name}" {{\n'
        f"  lifecycle {{\n    ignore_changes = [{attribute}]\n  }}\n}}\n"
    )
