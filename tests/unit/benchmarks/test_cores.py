"""Which cores a comparison runs on, and what it needs to run at all."""

import os
from pathlib import Path

import pytest
from benchmarks.side_by_side.cores import Cores, before_all_others, pick_load_core
from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.folder import require_node


def test_the_load_runs_on_another_physical_core() -> None:
    assert pick_load_core(0, [1, 2, 3], {0, 1}) == Cores(server=0, load=2)


def test_two_threads_of_one_core_are_used_if_there_is_nothing_else_and_named() -> None:
    assert pick_load_core(0, [1], {0, 1}) == Cores(server=0, load=1, shared=True)


def test_a_machine_that_does_not_show_its_threads_has_cores() -> None:
    assert pick_load_core(4, [5, 6], set()) == Cores(server=4, load=5)


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The programs whose policy was set, each with the policy; program 13 may not be changed."""
    found: list[tuple[int, int]] = []

    def set_policy(program: int, policy: int, parameters: os.sched_param) -> None:
        if program == 13:
            raise PermissionError
        found.append((program, policy & ~os.SCHED_RESET_ON_FORK))

    monkeypatch.setattr(os, "sched_setscheduler", set_policy)
    return found


def test_programs_run_before_all_others_for_the_length_of_a_block(
    policies: list[tuple[int, int]],
) -> None:
    with before_all_others((1, 2)):
        assert policies == [(1, os.SCHED_FIFO), (2, os.SCHED_FIFO)]
    assert policies[2:] == [(1, os.SCHED_OTHER), (2, os.SCHED_OTHER)]


def test_without_the_right_to_it_the_reason_is_named_and_nothing_stays_changed(
    policies: list[tuple[int, int]],
) -> None:
    with pytest.raises(Unavailable, match="needs root"), before_all_others((1, 13)):
        pass
    assert policies == [(1, os.SCHED_FIFO), (1, os.SCHED_OTHER)]


def test_an_old_node_is_refused_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v18.19.0\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"is version v18\.19\.0: .* Node\.js ≥ 20"):
        require_node()


def test_without_node_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="there is no `node` on the PATH"):
        require_node()
