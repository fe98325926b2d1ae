"""The hooks that run before a commit and before a push."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / ".pre-commit-config.yaml").read_text()


def test_the_configuration_of_the_hooks_is_valid() -> None:
    program = Path(sys.executable).parent / "pre-commit"
    if not program.exists():
        pytest.skip("NOT RUN: needs `scripts/setup --dev`")
    done = subprocess.run([program, "validate-config"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_runs_a_program_of_the_lock_file_or_of_this_repository() -> None:
    programs = re.findall(r"^ +entry: (\S+)", CONFIGURATION, re.MULTILINE)
    assert len(programs) == CONFIGURATION.count("- id: ")
    assert [name for name in programs if not (ROOT / name).exists()] == []


def test_every_path_pattern_matches_a_tracked_file() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for pattern in re.findall(r"^ +files: (\S+)$", CONFIGURATION, re.MULTILINE):
        assert any(re.search(pattern, name) for name in tracked), pattern
