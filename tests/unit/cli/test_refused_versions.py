"""A version that cannot be run is refused before anything is made or connected."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from isshoni.cli.main import app
from isshoni.errors import ExitCode

REFUSED = [
    (["bad label"], "is not a version label"),
    (["v1", "--label", "-v1"], "is not a version label"),
    (["./missing"], "there is no directory './missing'"),
    (["missing.whl"], "there is no wheel 'missing.whl'"),
    (["v1", "--command", "serve {port}", "--cwd", "missing"], "missing does not exist"),
    (["v1", "--cwd", "."], "there is no --command to run in it"),
    (["v1", "--command", "serve {port}", "--env-file", "missing.env"], "missing.env"),
    (["v1", "--command", "serve {port}", "--env", "=1"], "is not a name of a variable"),
    (["v1", "--command", "serve {port}", "--profile", "irc"], "there is no profile 'irc'"),
]
REGIONS = (
    '[environments.local.regions.east]\n[environments.local.regions.west]\nstate_dir = "west"\n'
)


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ISSHONI_STATE_DIR", raising=False)
    return tmp_path


def _run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    return done.exit_code, done.output or repr(done.exception)


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]], ids=["", "dry run"])
@pytest.mark.parametrize(("words", "why"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_up_refuses_it_and_makes_no_state_directory(
    words: list[str], why: str, dry_run: list[str], empty: Path
) -> None:
    code, said = _run("up", *words, *dry_run)
    assert (code, why in said) == (ExitCode.USAGE, True), said
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(("words", "why"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_up_of_a_region_refuses_it_too(words: list[str], why: str, empty: Path) -> None:
    (empty / "isshoni.toml").write_text(REGIONS)
    code, said = _run("up", "--region", "east", *words)
    assert (code, why in said) == (ExitCode.USAGE, True), said
    assert [path.name for path in empty.iterdir()] == ["isshoni.toml"]


def test_up_refuses_a_commit_that_is_none_and_makes_no_state_directory(empty: Path) -> None:
    code, _ = _run("up", "git:no-such-branch")
    assert code != ExitCode.OK
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("verb", ["deploy", "plan", "status", "rollback"])
def test_other_commands_make_no_state_directory_either(verb: str, empty: Path) -> None:
    code, _ = _run(
        *{"deploy": ["deploy", "bad label"], "drill": ["drill", "failover"]}.get(verb, [verb])
    )
    assert code != ExitCode.OK
    assert list(empty.iterdir()) == []


def test_verify_refuses_a_version_before_it_connects_users(empty: Path) -> None:
    code, said = _run("verify", "--url", "ws://127.0.0.1:1", "--deploy", "bad label")
    assert (code, "is not a version label" in said) == (ExitCode.USAGE, True), said
    assert list(empty.iterdir()) == []
