"""What a run may need of this machine, and what it took."""

import resource
from pathlib import Path

import pytest

from isshoni.verify import machine
from isshoni.verify.machine import (
    check_limits,
    choose_workers,
    count_cores,
    count_files,
    describe_share,
)
from isshoni.verify.settings import InvalidRun, RunSettings


def _settings(clients: int, workers: int = 1) -> RunSettings:
    return RunSettings(clients=clients, sessions=100, workers=workers)


class Limits:
    """The limits of open files of a process."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def read(self, which: int) -> tuple[int, int]:
        return self.now

    def change(self, which: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    limits = Limits(1024, 20_000)
    monkeypatch.setattr(resource, "getrlimit", limits.read)
    monkeypatch.setattr(resource, "setrlimit", limits.change)
    return limits


def test_the_soft_limit_of_open_files_is_raised_where_that_is_enough(limits: Limits) -> None:
    check_limits(_settings(100))
    assert limits.now == (1024, 20_000)
    check_limits(_settings(5000))
    assert limits.now == (10_200, 20_000)


def test_too_few_open_files_are_refused_with_what_to_do(limits: Limits) -> None:
    with pytest.raises(InvalidRun) as refused:
        check_limits(_settings(12_000))
    for words in ("12,000 clients in 1 process", "24,200 open files", "20,000", "--workers"):
        assert words in str(refused.value)
    check_limits(_settings(12_000, workers=2))
    assert limits.now == (12_200, 20_000)


def test_a_process_without_a_limit_of_open_files_is_left_alone(limits: Limits) -> None:
    limits.now = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    check_limits(_settings(12_000))


def test_a_restless_user_needs_files_for_its_lives() -> None:
    settings = RunSettings(clients=10, sessions=2, restless=4, passing=2)
    assert count_files(settings) == count_files(RunSettings(clients=10, sessions=2)) + 18


def test_more_clients_than_local_ports_are_refused(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ports"
    file.write_text("32768\t34768\n")
    monkeypatch.setattr(machine, "_PORT_RANGE", file)
    check_limits(_settings(2000))
    with pytest.raises(InvalidRun, match="2,001 clients need as many local ports"):
        check_limits(_settings(2001))
    file.unlink()
    check_limits(_settings(2001))


def test_workers_are_chosen_by_the_clients_the_processors_and_the_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "count_cores", lambda: 4)
    chosen = [choose_workers(clients, 100) for clients in (1, 2500, 2501, 7501, 20_000)]
    assert chosen == [1, 1, 2, 4, 4]
    assert choose_workers(20_000, 3) == 3


def test_a_share_above_a_third_of_the_machine_is_warned_about() -> None:
    settings, seconds = _settings(1000), 10.0
    machine_seconds = seconds * count_cores()
    small = describe_share(settings, machine_seconds * 0.2, seconds)
    assert (small.share, small.warning) == (0.2, None)
    assert (small.whole_clients, small.lean_clients) == (100, 900)
    large = describe_share(settings, machine_seconds * 0.5, seconds)
    assert large.warning is not None and "50% of this machine" in large.warning


@pytest.mark.parametrize("workers", [0, 101])
def test_a_session_is_not_divided_among_processes(workers: int) -> None:
    with pytest.raises(InvalidRun, match="no more processes than sessions"):
        _settings(1000, workers=workers)


def test_a_tenth_of_the_users_are_whole_clients_but_no_fewer_than_100() -> None:
    assert [_settings(clients).full for clients in (100, 500, 1000, 5000)] == [100, 100, 100, 500]
    assert RunSettings(clients=300, full_clients=0).full == 0


def test_the_warm_up_is_as_long_as_the_arrivals_but_1_to_10_seconds() -> None:
    assert [_settings(clients).warm_up for clients in (100, 1000, 5000)] == [1.0, 5.0, 10.0]
