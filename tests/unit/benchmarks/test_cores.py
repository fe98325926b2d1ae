"""Which cores a comparison runs on, and what it needs to run at all."""

from pathlib import Path

import pytest
from benchmarks.side_by_side.cores import Cores, pick_load_core
from benchmarks.side_by_side.errors import Unavailable
from benchmarks.side_by_side.folder import require_node


def test_the_load_runs_on_another_physical_core() -> None:
    assert pick_load_core(0, [1, 2, 3], {0, 1}) == Cores(server=0, load=2)


def test_two_threads_of_one_core_are_used_if_there_is_nothing_else_and_named() -> None:
    assert pick_load_core(0, [1], {0, 1}) == Cores(server=0, load=1, shared=True)


def test_a_machine_that_does_not_show_its_threads_has_cores() -> None:
    assert pick_load_core(4, [5, 6], set()) == Cores(server=4, load=5)


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
