"""The folder of the npm packages: each way in which it cannot be had is a sentence."""

import os
from pathlib import Path

import pytest

from isshoni.verify.stock import npm_folder
from isshoni.verify.stock.npm_folder import NodeMissing, NotInstalled, prepare

pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(npm_folder.MODULES_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    write_program(tmp_path / "bin" / "node", "echo v22.1.0")


def write_program(path: Path, body: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_node_that_is_missing_is_said_with_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "bin" / "node").unlink()
    with pytest.raises(NodeMissing, match=r"no `node` on the PATH.*`sudo apt install nodejs"):
        prepare()


def test_node_that_is_too_old_is_said_with_its_version(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "node", "echo v16.20.2")
    with pytest.raises(NodeMissing, match=r"is version v16.20.2, and .* ≥ 20"):
        prepare()


def test_offline_names_the_folder_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=r"--offline forbids .* run this once without") as fault:
        prepare(offline=True)
    assert str(tmp_path / "cache" / "isshoni") in str(fault.value)


def test_npm_that_fails_shows_its_words_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "npm", "echo no network >&2; exit 7")
    with pytest.raises(NotInstalled, match=r"exit code 7[\s\S]*no network"):
        prepare()
    assert list((tmp_path / "cache" / "isshoni").iterdir()) == []


def test_packages_are_installed_once_by_the_lock_file(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    write_program(
        tmp_path / "bin" / "npm",
        f'/bin/mkdir node_modules; echo "$*" >> {calls}; test -f p*-lock.json',
    )
    said: list[str] = []
    folder = prepare(say=said.append)
    assert prepare(say=said.append) == folder
    assert calls.read_text().splitlines() == [
        "ci --ignore-scripts --no-audit --no-fund --loglevel=error"
    ]
    (line,) = said
    assert "y-websocket 3.1.0" in line and str(folder) in line
    assert (folder / "clients.mjs").is_file()
    assert prepare(offline=True) == folder


def test_a_folder_of_modules_can_be_given_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    monkeypatch.setenv(npm_folder.MODULES_VARIABLE, str(modules))
    assert os.readlink(prepare() / "node_modules") == str(modules)


def test_the_lock_file_pins_each_package_and_names_no_registry() -> None:
    lock = (npm_folder.SCRIPTS / "package-lock.json").read_text()
    assert "resolved" not in lock
    for package in npm_folder.list_packages():
        assert package.split()[1] in lock
