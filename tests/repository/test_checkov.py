"""Each finding of checkov that is accepted has a check, resources and a reason."""

import re
import tomllib
from pathlib import Path

from tools.checkov.__main__ import is_accepted, name_resource

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "tools" / "checkov"
_ACCEPTED = tomllib.loads((_FOLDER / "reasons.toml").read_text())["accepted"]


def test_each_accepted_finding_has_a_reason() -> None:
    for entry in _ACCEPTED:
        assert re.fullmatch(r"CKV2?_[A-Z]+_\d+", entry["check"])
        assert entry["resources"]
        assert len(entry["reason"]) > 20


def test_a_reason_is_for_its_check_and_its_resources_only() -> None:
    finding = {
        "file_path": "/modules/observability/logs.tf",
        "resource": 'module.region.module.observability.aws_cloudwatch_log_group.colour["blue"]',
    }
    resource = name_resource(finding)
    assert resource == "observability/aws_cloudwatch_log_group.colour"
    assert is_accepted("CKV_AWS_158", resource, _ACCEPTED)
    assert not is_accepted("CKV_AWS_338", resource, _ACCEPTED)
    assert not is_accepted("CKV_AWS_158", "other/aws_cloudwatch_log_group.colour", _ACCEPTED)


def test_the_libraries_of_checkov_are_locked_with_their_hashes() -> None:
    text = (_FOLDER / "requirements.txt").read_text()
    pinned = re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)
    assert len(pinned) > 50
    assert text.count("--hash=sha256:") >= len(pinned)
    assert "://" not in text, "no registry is named"


def test_lock_files_of_terraform_are_not_committed_and_the_guide_makes_them() -> None:
    assert ".terraform.lock.hcl" in (_ROOT / ".gitignore").read_text().split()
    for page in ("docs/aws.md", "docs/ko/aws.md"):
        guide = (_ROOT / page).read_text()
        assert "terraform providers lock -platform=linux_amd64 -platform=linux_arm64" in guide
