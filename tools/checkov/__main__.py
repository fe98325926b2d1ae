"""Run checkov over the Terraform code; fail if it finds what `reasons.toml` does not accept."""

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_CODE = _ROOT / "infrastructure" / "terraform"
_REASONS = Path(__file__).parent / "reasons.toml"
_INSTANCE = re.compile(r"\[[^\]]*\]$")


def main(program: str) -> int:
    """Print each finding that is not accepted; return 1 if there is one."""
    words = ("-d", str(_CODE), "--framework", "terraform", "--compact", "--quiet", "-o", "json")
    command = [program, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - given by scripts/checkov
    try:
        findings = json.loads(done.stdout)["results"]["failed_checks"]
    except (ValueError, KeyError, TypeError):
        sys.stderr.write(f"checkov: its answer cannot be read: {done.stderr[-2000:]}\n")
        return 1
    accepted = tomllib.loads(_REASONS.read_text())["accepted"]
    found = {(finding["check_id"], name_resource(finding)): finding for finding in findings}
    refused = [key for key in found if not is_accepted(*key, accepted)]
    for check, resource in sorted(refused):
        finding = found[check, resource]
        sys.stdout.write(f"{check} {resource}: {finding['check_name']}\n")
    if refused:
        sys.stdout.write(f"Mend these, or accept them with a reason in {_REASONS.name}.\n")
    return int(bool(refused))


def name_resource(finding: dict[str, Any]) -> str:
    """Return the module's folder and the resource: `redis/aws_elasticache_subnet_group.this`."""
    folder = Path(finding["file_path"]).parent.name
    parts = _INSTANCE.sub("", finding["resource"]).split(".")
    return f"{folder}/{'.'.join(parts[-2:])}"


def is_accepted(check: str, resource: str, accepted: list[dict[str, Any]]) -> bool:
    """True if an entry accepts this check's finding about this resource."""
    return any(
        entry["check"] == check
        and any(fnmatchcase(resource, pattern) for pattern in entry["resources"])
        for entry in accepted
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
