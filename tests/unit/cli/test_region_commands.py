"""Commands about a rollout in an environment with two regions, of which none is named."""

import json
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from isshoni.cli.config import load_config
from isshoni.cli.context import remember_config
from isshoni.cli.options import options
from isshoni.cli.region_rollout import choose_environment
from isshoni.cli.verbs import load_verb
from isshoni.engine.errors import LeaseHeld, NothingToDo
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.engine.journal import Record
from isshoni.engine.lease import describe_self
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.local.region_files import find_journal, place_region, write_switch
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import begin_rollout, end_rollout

TWO = "[environments.local.regions.east]\n[environments.local.regions.west]\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with two regions that were started once."""
    path = tmp_path / "isshoni.toml"
    path.write_text(TWO)
    monkeypatch.setattr(options, "config_file", path)
    monkeypatch.delenv("ISSHONI_STATE_DIR", raising=False)
    for region in ("east", "west"):
        state_dir_of(path, region).mkdir(parents=True)
    return path


def state_dir_of(file: Path, region: str) -> Path:
    return place_region(load_config(file, {}).environments.local, region).state_dir


def store(file: Path, region: str, name: str, *, began: float = 1.0, ended: bool = False) -> None:
    """Store a rollout without an engine."""
    with closing(SqliteJournal(state_dir_of(file, region) / "journal.sqlite")) as journal:
        lease = journal.take_lease(describe_self("deploy", 1.0), now=1.0, ttl_seconds=1)
        stable = Stable("blue", Release("v1"))
        rollout = begin_rollout(name, Release("v2"), RolloutPlan(), stable, began)
        if ended:
            rollout = end_rollout(rollout, "promoted", "", began + 1)
        record = Record(1, began, 1, "begun", f"in {region}")
        journal.save(rollout, [record], lease=lease, revision=0)
        journal.release_lease(lease)


def run(verb: str, *words: str) -> int:
    try:
        load_verb(verb).main(list(words), standalone_mode=False)
    except typer.Exit as exited:
        return exited.exit_code
    except SystemExit as exited:
        return int(exited.code or 0)
    return 0


def test_the_region_in_which_a_rollout_runs_is_chosen(file: Path) -> None:
    store(file, "east", "r1", ended=True)
    store(file, "west", "r2")
    assert choose_environment("local") == "local.west"
    assert choose_environment("local.east") == "local.east"


def test_without_a_rollout_in_either_region_both_are_named(file: Path) -> None:
    store(file, "east", "r1", ended=True)
    with pytest.raises(NothingToDo, match="no rollout is running in east or west"):
        choose_environment("local")


def test_two_rollouts_need_a_name(file: Path) -> None:
    store(file, "east", "r1")
    store(file, "west", "r2")
    with pytest.raises(NothingToDo, match=r"in both regions: name one, as in `-e local\.east`"):
        choose_environment("local")


def test_while_a_failover_runs_its_own_command_is_named(file: Path) -> None:
    local = load_config(file, {}).environments.local
    find_journal(local).parent.mkdir(parents=True, exist_ok=True)
    with closing(SqliteFailovers(find_journal(local))) as journal:
        now = 4e9
        holder = describe_self("fail over from east to west", now)
        journal.take_lease(holder, now=now, ttl_seconds=60)
        with pytest.raises(LeaseHeld, match="`isshoni failover --abort`"):
            choose_environment("local")


@pytest.mark.parametrize("verb", ["abort", "pause", "resume"])
def test_a_request_goes_to_the_region_with_the_rollout(
    file: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store(file, "west", "r2")
    try:
        assert run(verb, "--dry-run", "--json") == 0
    except NothingToDo as why:  # of an engine that has died, `pause` asks nothing
        assert "r2" in str(why)
        return
    assert json.loads(capsys.readouterr().out)["rollout"]["id"] == "r2"


def test_history_has_the_rollouts_of_both_regions(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(file, "east", "r1", began=1.0, ended=True)
    store(file, "west", "r2", began=5.0, ended=True)
    assert run("history", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["region"], each["id"]) for each in found] == [("west", "r2"), ("east", "r1")]
    assert run("history", "r1", "--json") == 0
    assert "in east" in capsys.readouterr().out
    assert run("history", "--json", "-e", "local.east") == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert only["id"] == "r1" and "region" not in only


def test_attend_looks_at_both_regions(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NothingToDo, match=r"east: no rollout is open.*west: no rollout is open"):
        run("attend")
    store(file, "west", "r2")
    assert run("attend", "--dry-run", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["would"] == "west: notify the team of rollout r2"
    assert found["regions"]["west"]["rollout"]["id"] == "r2"


def store_versions(file: Path, **versions: str) -> None:
    """Store the version of each region, of which east serves."""
    write_switch(load_config(file, {}).environments.local, "east")
    for region, version in versions.items():
        with closing(SqliteJournal(state_dir_of(file, region) / "journal.sqlite")) as journal:
            journal.record_stable(Stable("blue", Release(version)), at=1.0)


def test_status_and_doctor_name_that_the_regions_differ_and_what_to_do(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_versions(file, east="v1", west="v2")
    run("status", "--json")
    found = json.loads(capsys.readouterr().out)["difference"]
    assert found["detail"].startswith("east serves v1, its standby west has v2")
    assert found["remedy"].startswith("`isshoni rollback` returns west to v1")
    run("status")
    assert "`isshoni rollback` returns west to v1" in " ".join(capsys.readouterr().out.split())
    assert run("doctor", "--json") == 4
    (check,) = [c for c in json.loads(capsys.readouterr().out) if c["name"] == "versions"]
    assert (check["ok"], check["remedy"]) == (False, found["remedy"])


def test_status_and_doctor_find_no_difference_of_one_version(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_versions(file, east="v1", west="v1")
    run("status", "--json")
    assert json.loads(capsys.readouterr().out)["difference"] is None
    run("doctor", "--json")
    (check,) = [c for c in json.loads(capsys.readouterr().out) if c["name"] == "versions"]
    assert check["ok"], check


def test_the_supervisor_of_a_region_gets_its_name(file: Path) -> None:
    config = load_config(file, {})
    state_dir = state_dir_of(file, "west")
    context: Any = SimpleNamespace(place=SimpleNamespace(state_dir=state_dir), config=config)
    remember_config(context)
    kept = json.loads((state_dir / "attended-region.json").read_text())
    assert kept == {"environment": "local.west", "state_dir": str(file.parent / ".isshoni")}
    assert (state_dir / "config-file").read_text() == str(file)
