"""`infrastructure/scripts/deploy.sh`: a thin front of `isshoni deploy`."""

import shutil
import subprocess
from pathlib import Path

import pytest

from isshoni.errors import ExitCode

SCRIPT = Path(__file__).parents[2] / "infrastructure" / "scripts" / "deploy.sh"
_TELL = '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 5\n'
"""Tells its words and ends as `isshoni deploy` does after a rollback."""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Give the script in a clone whose `isshoni` only tells what it was asked."""
    copy = tmp_path / "infrastructure" / "scripts" / "deploy.sh"
    copy.parent.mkdir(parents=True)
    shutil.copy(SCRIPT, copy)
    isshoni = tmp_path / ".venv" / "bin" / "isshoni"
    isshoni.parent.mkdir(parents=True)
    isshoni.write_text(_TELL)
    isshoni.chmod(0o755)
    return copy


@pytest.mark.spec("C")
def test_it_says_the_same_in_the_terms_of_the_command(script: Path) -> None:
    done = _run(script, "--environment", "staging", "--version", "v1.4", "--dry-run")
    assert done.stdout.split() == ["deploy", "v1.4", "--environment", "staging", "--dry-run"]
    assert done.returncode == 5


def test_options_may_be_joined_and_in_any_order(script: Path) -> None:
    done = _run(script, "--force", "--version=v 2", "--environment=production")
    words = ["deploy", "v 2", "--environment", "production", "--force"]
    assert done.stdout.splitlines() == words


def test_without_a_version_it_is_the_commit(script: Path) -> None:
    root = script.parents[2]
    _git(root, "init", "--quiet")
    _git(root, "add", "infrastructure")
    _git(root, "commit", "--quiet", "--message", "Begin")
    commit = _git(root, "rev-parse", "--short", "HEAD")
    assert _run(script, "--environment", "staging").stdout.split()[1] == commit
    script.write_text(script.read_text() + "\n")
    refused = _run(script, "--environment", "staging")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "has changes" in refused.stderr


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "--environment is missing"),
        (["--environment"], "--environment needs a value"),
        (["--version", "v1"], "--environment is missing"),
    ],
)
def test_what_is_missing_is_named(script: Path, words: list[str], fault: str) -> None:
    done = _run(script, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr


def test_help_has_examples(script: Path) -> None:
    done = _run(script, "--help")
    assert done.returncode == 0
    assert "deploy.sh --environment staging\n" in done.stdout


def test_it_reaches_the_real_command(tmp_path: Path) -> None:
    done = _run(SCRIPT, "--environment", "local", "--version", "v1", "--dry-run", cwd=tmp_path)
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "`isshoni up` starts one" in done.stderr


def _run(script: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([script, *words], capture_output=True, text=True, cwd=cwd)


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
