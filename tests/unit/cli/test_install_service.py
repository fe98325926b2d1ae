"""Installing and removing the service, with a systemctl that only records its calls."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from isshoni.cli import install_service as module
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.install_service import CannotInstall
from isshoni.cli.verbs import load_verb
from isshoni.environments.local.service_units import MARK

SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{log}"
"""


class Machine:
    """A machine's folder of units, and what was asked of systemctl."""

    def __init__(self, root: Path) -> None:
        self.units = root / "units"
        self.log = root / "calls"

    def run(self, *words: str) -> None:
        load_verb("install-service").main(list(words), standalone_mode=False)

    @property
    def calls(self) -> Sequence[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.units.iterdir()) if self.units.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(log=made.log))
    program.chmod(0o755)
    (tmp_path / "app" / ".isshoni").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "app")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.delenv("ISSHONI_STATE_DIR", raising=False)
    monkeypatch.setattr(module, "SYSTEM_UNITS", made.units)
    monkeypatch.setattr(module, "SYSTEMD_RUNS", tmp_path)
    return made


def test_it_writes_the_units_and_enables_them(machine: Machine) -> None:
    machine.run("--dashboard")
    assert machine.names == ["isshoni-dashboard.service", "isshoni.service"]
    assert machine.calls == ["daemon-reload", "enable isshoni isshoni-dashboard"]
    assert str(Path.cwd()) in (machine.units / "isshoni.service").read_text()
    assert (machine.units / "isshoni.service").stat().st_mode & 0o777 == 0o644


def test_a_users_service_is_below_its_home(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    machine.run("--user", "--name", "draw")
    assert (tmp_path / "config" / "systemd" / "user" / "draw.service").is_file()
    assert machine.calls == ["--user daemon-reload", "--user enable draw"]


@pytest.mark.parametrize("option", ["--print", "--dry-run"])
def test_printing_changes_nothing(
    machine: Machine, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.run(option)
    assert "ExecStart=" in capsys.readouterr().out
    assert (machine.names, machine.calls) == ([], [])


def test_json_has_the_units_with_their_paths(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.run("--json", "--print")
    (unit,) = json.loads(capsys.readouterr().out)["units"].values()
    assert unit["path"] == str(machine.units / "isshoni.service")
    machine.run("--json")
    assert (machine.units / "isshoni.service").read_text() == unit["text"]
    capsys.readouterr()
    machine.run("--json", "--uninstall")
    assert json.loads(capsys.readouterr().out) == {"removed": [unit["path"]]}


def test_without_systemd_it_prints_the_unit_and_refuses(
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "SYSTEMD_RUNS", tmp_path / "nothing")
    with pytest.raises(CannotInstall, match="systemd does not run here"):
        machine.run()
    assert "ExecStart=" in capsys.readouterr().out
    assert (machine.names, machine.calls) == ([], [])


def test_a_unit_of_the_same_name_that_is_not_ours_is_kept(machine: Machine) -> None:
    machine.units.mkdir()
    foreign = machine.units / "isshoni.service"
    foreign.write_text("[Service]\n")
    for words in ((), ("--uninstall",)):
        with pytest.raises(CannotInstall, match="was not written by Isshoni"):
            machine.run(*words)
    assert foreign.read_text() == "[Service]\n"
    assert machine.calls == []


def test_installing_again_replaces_our_own_unit(machine: Machine) -> None:
    machine.run()
    (machine.units / "isshoni.service").write_text(f"{MARK}\nold\n")
    machine.run()
    assert "old" not in (machine.units / "isshoni.service").read_text()


def test_uninstalling_disables_and_removes_both_units(machine: Machine) -> None:
    machine.run("--dashboard")
    machine.log.unlink()
    machine.run("--uninstall")
    assert machine.names == []
    assert machine.calls == ["disable isshoni isshoni-dashboard", "daemon-reload"]
    with pytest.raises(CannotInstall, match="there is no"):
        machine.run("--uninstall")


def test_a_dry_run_of_uninstalling_removes_nothing(machine: Machine) -> None:
    machine.run("--dashboard")
    machine.log.unlink()
    before = machine.names
    machine.run("--uninstall", "--dry-run")
    assert machine.names == before
    assert not machine.log.exists()


def test_a_folder_that_cannot_be_written_is_named(machine: Machine) -> None:
    machine.units.write_text("no folder")
    with pytest.raises(CannotInstall, match=r"units cannot be changed .*: run it with sudo"):
        machine.run()


def test_an_environment_must_exist(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoEnvironment):
        machine.run()


def test_each_region_has_a_service_of_its_own(machine: Machine) -> None:
    regions = "[environments.local.regions.east]\n[environments.local.regions.west]\n"
    Path("isshoni.toml").write_text(regions)
    with pytest.raises(NoEnvironment, match="regions/east"):
        machine.run()
    for region in ("east", "west"):
        Path(".isshoni", "regions", region).mkdir(parents=True)
    machine.run("--dashboard")
    names = ("isshoni-east", "isshoni-east-dashboard", "isshoni-west", "isshoni-west-dashboard")
    assert machine.names == sorted(f"{name}.service" for name in names)
    texts = {name: (machine.units / f"{name}.service").read_text() for name in names}
    assert "isshoni.toml up --region east\n" in texts["isshoni-east"]
    assert f"supervisor {Path('.isshoni/regions/west').absolute()} " in texts["isshoni-west"]
    assert "dashboard -e local.east --port 8087\n" in texts["isshoni-east-dashboard"]
    assert "dashboard -e local.west --port 8088\n" in texts["isshoni-west-dashboard"]
    machine.run("--uninstall")
    assert machine.names == []


@pytest.mark.parametrize(
    ("words", "fault"),
    [(("--name", "../x"), "'../x'"), (("--run-as", "no-such-user"), "no user 'no-such-user'")],
)
def test_a_wrong_option_is_named(machine: Machine, words: tuple[str, ...], fault: str) -> None:
    with pytest.raises(typer.BadParameter, match=fault):
        machine.run(*words)
    assert machine.calls == []
