"""`scripts/release` in a clone of this repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "frontend" / "node_modules"
VERSION = "98.7.6"
IN_CI = os.environ.get("CI") == "true"


class Clone:
    """A clone on a branch `main`, with the installed packages of this repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "clone", "--quiet", ROOT, path], check=True)
        self.git("checkout", "--quiet", "-B", "main")
        self.git("config", "user.name", "Release Test")
        self.git("config", "user.email", "release@example.org")
        (path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n### Added\n- News.\n")
        self.commit_all()
        if NODE_MODULES.is_dir():
            exclude = path / ".git" / "info" / "exclude"
            exclude.write_text("frontend/node_modules\n")
            (path / "frontend" / "node_modules").symlink_to(NODE_MODULES)
        self.start = self.state()

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit_all(self) -> None:
        self.git("commit", "--quiet", "--all", "--allow-empty", "-m", "Prepare a test")

    def state(self) -> tuple[str, str, str, bool]:
        return (
            self.git("rev-parse", "HEAD"),
            self.git("status", "--porcelain"),
            self.git("tag"),
            (self.path / "dist").exists() and any((self.path / "dist").iterdir()),
        )

    def release(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tools.release", *words]
        return subprocess.run(command, cwd=self.path, capture_output=True, text=True)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_help_shows_examples_and_exit_codes(clone: Clone) -> None:
    done = clone.release("--help")
    assert done.returncode == 0
    assert "scripts/release 0.2.0 --dry-run" in done.stdout
    assert "7 refused" in done.stdout


def test_a_dry_run_shows_the_release_and_changes_nothing(clone: Clone) -> None:
    done = clone.release(VERSION, "--dry-run", "--date", "2026-11-26")
    assert done.returncode == 0, done.stderr
    assert f"## [{VERSION}] - 2026-11-26" in done.stdout
    assert "- News." in done.stdout
    assert clone.state() == clone.start


def test_every_reason_against_a_release_is_named_at_once(clone: Clone) -> None:
    (clone.path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    clone.commit_all()
    clone.git("checkout", "--quiet", "-b", "feature")
    clone.git("tag", "v0.0.1")
    (clone.path / "README.md").write_text("changed\n")
    before = clone.state()
    done = clone.release("0.0.1")
    assert done.returncode == 7
    reasons = done.stderr
    assert "not everything is committed: README.md\n" in reasons
    assert "this is feature; releases are made on main" in reasons
    assert "the tag v0.0.1 exists already" in reasons
    assert "0.0.1 is not newer than the present" in reasons
    assert "nothing under Unreleased" in reasons
    assert clone.state() == before


@pytest.mark.parametrize("words", [("1.2",), ("v1.2.3",), (), ("1.2.3", "--date", "yesterday")])
def test_wrong_usage_has_exit_code_2(clone: Clone, words: tuple[str, ...]) -> None:
    done = clone.release(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


needs_node = pytest.mark.skipif(
    not IN_CI and not (shutil.which("npm") and NODE_MODULES.is_dir()),
    reason="NOT RUN: needs Node.js and `npm ci`",
)


@needs_node
@pytest.mark.timeout(500)
def test_a_release_is_a_commit_a_tag_and_packages_that_install(clone: Clone) -> None:
    done = clone.release(VERSION, "--date", "2026-11-26")
    assert done.returncode == 0, done.stderr
    assert clone.git("log", "-1", "--format=%s") == f"Release {VERSION}"
    assert clone.git("rev-parse", f"v{VERSION}^{{commit}}") == clone.git("rev-parse", "HEAD")
    assert "### Added\n- News." in clone.git("tag", "--list", "--format=%(contents)")
    assert clone.git("status", "--porcelain") == ""
    assert (
        f"## [Unreleased]\n\n## [{VERSION}] - 2026-11-26\n\n### Added\n- News."
        in (clone.path / "CHANGELOG.md").read_text()
    )
    assert {path.name for path in (clone.path / "dist" / f"v{VERSION}").iterdir()} == {
        f"isshoni-{VERSION}-py3-none-any.whl",
        f"isshoni-{VERSION}.tar.gz",
        f"isshoni-client-{VERSION}.tgz",
        f"isshoni-movable-socket-{VERSION}.tgz",
    }
    again = clone.release(VERSION)
    assert again.returncode == 7
    assert "exists already" in again.stderr


@needs_node
@pytest.mark.timeout(500)
def test_a_wheel_whose_command_does_not_run_is_no_release(clone: Clone) -> None:
    pyproject = clone.path / "pyproject.toml"
    broken = pyproject.read_text().replace("isshoni.cli.main:main", "isshoni.cli.lost:main")
    pyproject.write_text(broken)
    clone.commit_all()
    before = clone.state()
    done = clone.release(VERSION)
    assert done.returncode == 1
    assert "isshoni.cli.lost" in done.stderr
    assert clone.state() == before
