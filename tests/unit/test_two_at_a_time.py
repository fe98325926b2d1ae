"""The third worker runs beside the two what mostly waits, and nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.two_at_a_time import SharedInstallations, path_of

AWS = ["tests/e2e/test_aws_a.py::a", "tests/e2e/test_aws_b.py::a"]
PLANS = ["tests/infrastructure/test_plans.py::a", "tests/infrastructure/test_state.py::a"]
OTHERS = [f"tests/unit/test_{letter}.py::a" for letter in "abcdef"]


class Node:
    """A worker that remembers which files it was sent, in order."""

    def __init__(self, number: int, collection: list[str]) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.shutting_down = False
        self.sent: list[int] = []
        self.done = 0
        self._collection = collection

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def files(self) -> list[str]:
        return [path_of(self._collection[index]) for index in self.sent]


def run(collection: list[str], workers: int, slow: str = "") -> list[Node]:
    """Run a collection, a test of each worker in turn; the `slow` one ends its first test last."""
    config: Any = pytest.Config.fromdictargs({}, [])
    config.option.tx, config.option.loadscopereorder = ["popen"] * workers, False
    scheduler = SharedInstallations(config, None)
    nodes = [Node(number, collection) for number in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, collection)
    scheduler.schedule()
    while busy := [node for node in nodes if node.done < len(node.sent)]:
        for node in [n for n in busy if n.gateway.id != slow] or busy:
            scheduler.mark_test_complete(node, node.sent[node.done])
            node.done += 1
    assert sorted(index for node in nodes for index in node.sent) == list(range(len(collection)))
    assert all(node.shutting_down for node in nodes)
    return nodes


def waits(file: str) -> bool:
    return not file.startswith("unit/")


def test_the_third_worker_has_what_waits_and_the_two_have_the_rest() -> None:
    first, second, third = run([*AWS, *PLANS, *OTHERS], 3)
    assert len(third.files) == 4 and all(map(waits, third.files))
    assert not any(map(waits, first.files + second.files))
    assert len(first.files) == len(second.files) == 3


def test_the_two_help_with_what_waits_when_nothing_else_is_left() -> None:
    first, second, third = run([*AWS, *PLANS, *OTHERS], 3, slow="gw2")
    assert any(map(waits, first.files + second.files))
    assert all(map(waits, third.files))


@pytest.mark.parametrize("workers", [2, 4])
def test_another_number_of_workers_shares_everything(workers: int) -> None:
    nodes = run([*AWS, *PLANS, *OTHERS], workers)
    assert all(waits(node.files[0]) for node in nodes[:2])


def test_plans_stay_on_one_worker() -> None:
    nodes = run([*PLANS, *OTHERS], 2)
    assert [sum(map(waits, node.files)) for node in nodes] in ([2, 0], [0, 2])


def test_three_workers_without_anything_that_waits_run_all() -> None:
    assert sum(len(node.files) for node in run(OTHERS, 3)) == len(OTHERS)
