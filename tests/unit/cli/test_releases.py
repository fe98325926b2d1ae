"""How a release is named on the command line."""

from pathlib import Path

import pytest
import typer

from isshoni.cli.config import AppConfig
from isshoni.cli.releases import Wanted, parse_release
from isshoni.rollout.model import Relaying, Release

APP = AppConfig()


def test_a_bare_word_is_a_label_of_the_installed_isshoni() -> None:
    assert parse_release("v1.1", APP) == Release("v1.1")


def test_a_directory_a_wheel_and_a_commit_are_sources(tmp_path: Path) -> None:
    wheel = tmp_path / "isshoni-1.2-py3-none-any.whl"
    wheel.touch()
    assert parse_release(f"{tmp_path}/", APP).source == str(tmp_path.resolve())
    assert parse_release(str(wheel), APP) == Release("isshoni-1.2", source=str(wheel))
    assert parse_release("git:feature/x", APP) == Release("feature-x", source="git:feature/x")


def test_a_given_label_replaces_that_of_the_source() -> None:
    assert parse_release("git:main", APP, Wanted(label="v2")).label == "v2"


def test_the_configured_app_is_deployed_unless_options_say_otherwise() -> None:
    app = AppConfig(command="theirs {port}", ready_path="/up")
    there = str(Path.cwd())
    assert parse_release("v1", app) == Release(
        "v1", command="theirs {port}", ready_path="/up", directory=there
    )
    assert parse_release("v1", app, Wanted(command="other {port}")).command == "other {port}"


@pytest.mark.parametrize("version", ["a b", "", "-v1", "x" * 65, "./nope", "nope.whl"])
def test_an_invalid_version_is_refused(version: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_release(version, APP)


def test_a_command_is_relayed_unless_it_speaks_the_admin_api() -> None:
    relay = Relaying(profile="yjs")
    assert parse_release("v1", APP, relay=relay).relay is None
    assert parse_release("v1", APP, Wanted(command="app {port}"), relay=relay).relay == relay
    own = parse_release("v1", APP, Wanted(command="app {port} {admin_port}"), relay=relay)
    assert own.relay is None and own.speaks_admin_api and own.can_move_clients


def test_a_release_of_an_earlier_journal_is_the_one_that_is_asked_for() -> None:
    before = parse_release("v1", APP, Wanted(command="app {port}"))
    asked = parse_release("v1", APP, Wanted(command="app {port}"), relay=Relaying())
    assert asked.is_request_for(before)
    assert not before.can_move_clients and asked.can_move_clients
    other = parse_release("v1", APP, Wanted(command="app {port}"), relay=Relaying(profile="yjs"))
    assert not asked.is_request_for(other)


def test_a_command_runs_in_the_current_directory_or_in_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    here = tmp_path.resolve()
    assert parse_release("v1", APP, Wanted(command="serve")).directory == str(here)
    inner = parse_release("v1", APP, Wanted(command="serve", cwd="inner"))
    assert (inner.directory, inner.cwd) == (str(here / "inner"), None)
    assert parse_release("v1", AppConfig(command="serve", cwd="inner")) == inner


def test_with_a_source_the_directory_is_one_of_the_source(tmp_path: Path) -> None:
    release = parse_release(str(tmp_path), APP, Wanted(command="serve", cwd="inner"))
    assert (release.directory, release.cwd) == (None, "inner")


@pytest.mark.parametrize("cwd", ["nowhere", "file"])
def test_a_working_directory_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cwd: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.BadParameter, match=r"does not exist|is not a directory"):
        parse_release("v1", APP, Wanted(command="serve", cwd=cwd))


def test_a_working_directory_without_a_command_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="no --command"):
        parse_release("v1", APP, Wanted(cwd="."))


def test_the_processes_of_the_configuration_are_part_of_the_release() -> None:
    app = AppConfig(command="serve", processes={"worker": "work", "beat": "beat"})
    assert parse_release("v1", app).side_programs == (("beat", "beat"), ("worker", "work"))


def test_variables_of_the_command_line_go_before_files_and_the_configuration(
    tmp_path: Path,
) -> None:
    configured, given = tmp_path / "configured", tmp_path / "given"
    configured.write_text("A=configured file\nB=configured file\nC=configured file\nD=x")
    given.write_text("C=file\nD=file")
    app = AppConfig(env_file=configured, env={"B": "configured", "C": "configured"})
    wanted = Wanted(env=["D=option"], env_files=[given])
    assert wanted.read_variables(app) == {
        "A": "configured file",
        "B": "configured",
        "C": "file",
        "D": "option",
    }
