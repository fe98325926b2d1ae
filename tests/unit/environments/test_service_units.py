"""The units of systemd, as text; `systemd-analyze` reads them in tests/integration/local."""

from pathlib import Path

import pytest

from isshoni.environments.local.service_units import MARK, Service, dashboard_unit, main_unit

SERVICE = Service(
    name="isshoni",
    python=Path("/srv/isshoni/.venv/bin/python"),
    directory=Path("/srv/app"),
    state_dir=Path("/srv/app/.isshoni"),
    config=Path("/srv/app/isshoni.toml"),
    user="app",
    lowest_port=8080,
    environ={"PATH": "/usr/bin:/bin"},
)


def changed(**changes: object) -> Service:
    return Service(**{**vars(SERVICE), **changes})


def find_values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}=")]


def test_its_main_process_is_the_supervisor_and_a_stop_ends_no_other() -> None:
    unit = main_unit(SERVICE)
    (command,) = find_values(unit, "ExecStart")
    assert command == (
        "/srv/isshoni/.venv/bin/python -m isshoni.environments.local.supervisor "
        "/srv/app/.isshoni --replace"
    )
    assert find_values(unit, "KillMode") == ["process"]
    assert find_values(unit, "ExecStop") == []
    assert find_values(unit, "OOMPolicy") == ["continue"]


def test_it_is_restarted_after_a_crash_but_not_after_down() -> None:
    assert find_values(main_unit(SERVICE), "Restart") == ["on-failure"]
    assert find_values(main_unit(SERVICE), "StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize(
    ("user", "port", "has"),
    [("app", 443, True), ("app", 8080, False), ("app", 0, False), ("root", 443, False)],
)
def test_only_a_port_below_1024_needs_a_capability(user: str, port: int, has: bool) -> None:
    unit = main_unit(changed(user=user, lowest_port=port))
    assert bool(find_values(unit, "AmbientCapabilities")) is has


def test_a_users_service_asks_for_nothing_that_needs_privileges() -> None:
    unit = main_unit(changed(user=None, lowest_port=443))
    assert find_values(unit, "WantedBy") == ["default.target"]
    assert "User=" not in unit
    assert "Protect" not in unit
    assert "AmbientCapabilities" not in unit


@pytest.mark.parametrize("place", ["/etc/app", "/usr/local/app"])
def test_directories_that_it_writes_to_are_not_made_read_only(place: str) -> None:
    assert find_values(main_unit(SERVICE), "ProtectSystem") == ["full"]
    assert find_values(main_unit(changed(state_dir=Path(place))), "ProtectSystem") == []


def test_words_that_systemd_would_change_are_escaped() -> None:
    unit = main_unit(changed(state_dir=Path('/srv/a b/50%/$x"'), environ={"PATH": "/a b/50%"}))
    (command,) = find_values(unit, "ExecStart")
    assert r'"/srv/a b/50%%/$$x\""' in command
    assert find_values(unit, "Environment") == ['"PATH=/a b/50%%"']


def test_the_address_of_the_dashboard_is_not_logged() -> None:
    unit = dashboard_unit(SERVICE)
    assert MARK in unit
    assert find_values(unit, "StandardOutput") == ["null"]
    assert find_values(unit, "After") == ["isshoni.service"]
