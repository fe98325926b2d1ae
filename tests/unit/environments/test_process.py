"""Finding a program again, whose supervisor is gone."""

import os

import psutil
import pytest

from isshoni.environments.local.process import find_observed, find_process
from isshoni.environments.local.programs import Observed


def observe_self() -> Observed:
    process = find_process(os.getpid(), "r1")
    assert process is not None
    return Observed("r1", process.pid, create_time=process.create_time, identity=process.identity)


def test_a_program_is_found_again_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = observe_self()
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
    found = find_observed(seen)
    assert found is not None and found.pid == os.getpid()


def test_a_later_process_of_the_same_pid_is_another() -> None:
    seen = observe_self()
    assert find_observed(Observed("r1", seen.pid, identity="another-boot 1")) is None
    assert find_observed(Observed("r1", seen.pid, create_time=1.0)) is None
    assert find_observed(Observed("r1")) is None
    assert find_observed(Observed("r1", seen.pid, create_time=seen.create_time)) is not None
