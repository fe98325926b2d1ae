"""`isshoni rollback` by the command: the very content that was live, and ever further back."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.installation import Installation, installation

SERVE = "python -m http.server {port} --bind {host}"
PAGE = "index.html"


@pytest.fixture
def platform() -> Iterator[Installation]:
    with installation(bake_seconds=0.2, require_traffic=False) as made:
        yield made


def commit(repository: Path, page: str) -> str:
    (repository / PAGE).write_text(page)
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", PAGE], ["commit", "-qm", page]):
        subprocess.run([*git, *command], check=True)
    shown = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return shown.stdout.strip()


def deploy(platform: Installation, verb: str, version: str) -> str:
    """Deploy, or bring up; return what it printed."""
    done = platform.run(verb, version, "--command", SERVE, "--ready-path", f"/{PAGE}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def roll_back(platform: Installation, *arguments: str) -> None:
    done = platform.run("rollback", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def read_page(platform: Installation) -> str:
    return httpx.get(f"{platform.status()['address']}/{PAGE}").text


@pytest.mark.spec("C6", "C9")
@pytest.mark.timeout(400)
def test_rollback_walks_back_through_the_commits_of_one_branch(platform: Installation) -> None:
    commits = []
    for number, verb in enumerate(("up", "deploy", "deploy")):
        commits.append(commit(platform.directory, f"page {number}"))
        assert commits[-1][:12] in deploy(platform, verb, "git:HEAD")
    assert read_page(platform) == "page 2"
    roll_back(platform)
    assert read_page(platform) == "page 1"
    roll_back(platform)
    assert read_page(platform) == "page 0"
    stand = platform.status()
    assert stand["stable"]["content"] == f"git-{commits[0]}"
    assert commits[0][:12] in platform.run("status").stdout
    past = json.loads(platform.run("history", "--json").stdout)
    assert [r["content"] for r in past] == [f"git-{commits[number]}" for number in (0, 1, 2, 1)]
    assert [r["returning"] for r in past] == [True, True, False, False]
    shown = platform.run("history").stdout.splitlines()
    kinds = [line.split()[3] for line in shown if line.startswith(tuple(r["id"] for r in past))]
    assert kinds == ["rollback", "rollback", "deploy", "deploy"]
    assert platform.run("rollback").returncode == 7
    roll_back(platform, "--to", commits[2][:7])
    assert read_page(platform) == "page 2"


@pytest.mark.spec("C6", "C9")
@pytest.mark.timeout(300)
def test_a_directory_edited_since_is_rolled_back_and_brought_up_as_it_was(
    platform: Installation, tmp_path: Path
) -> None:
    for page, verb in (("one", "up"), ("two", "deploy")):
        (tmp_path / PAGE).write_text(page)
        deploy(platform, verb, str(tmp_path))
    (tmp_path / PAGE).write_text("not deployed")
    roll_back(platform)
    assert read_page(platform) == "one"
    assert platform.run("down").returncode == 0
    assert platform.run("up").returncode == 0
    assert read_page(platform) == "one"


@pytest.mark.spec("C9")
@pytest.mark.timeout(200)
def test_a_command_runs_in_the_callers_directory_with_its_environment(
    platform: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (platform.directory / PAGE).write_text("here")
    (platform.directory / "serve.sh").write_text('echo "$TOLD" > told.txt; exec "$@"\n')
    deploy(platform, "up", "v1")
    monkeypatch.setitem(os.environ, "TOLD", "by the caller")
    (platform.directory / PAGE).write_text("there")
    done = platform.run(
        "deploy", "v2", "--command", f"sh serve.sh {SERVE}", "--ready-path", f"/{PAGE}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_page(platform) == "there"
    assert (platform.directory / "told.txt").read_text() == "by the caller\n"
