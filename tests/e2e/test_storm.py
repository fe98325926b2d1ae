"""All clients of a platform are cut at one moment (the twin of benchmarks/storm.py)."""

import argparse
from collections.abc import Iterator

import pytest
from benchmarks.storm import Workers, crowd, measure

from tests.support.installation import Installation, installation

CLIENTS = 100
OPTIONS = argparse.Namespace(
    clients=CLIENTS, sessions=5, workers=1, stock_pct=20, kind="returning", only=None
)


@pytest.fixture(scope="module")
def platform() -> Iterator[Installation]:
    with installation() as platform:
        platform.up()
        yield platform


@pytest.fixture(scope="module")
def workers(platform: Installation) -> Iterator[Workers]:
    with crowd(platform, OPTIONS) as workers:
        yield workers


@pytest.mark.e2e
@pytest.mark.spec("B1")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("cut", ["kill", "envoy", "network"])
def test_all_clients_are_restored_and_none_is_asked_to_wait_twice(
    platform: Installation, workers: Workers, cut: str
) -> None:
    figures = measure(platform, workers, cut, CLIENTS)
    assert figures["restored"] == CLIENTS
    assert figures["asked_to_wait_twice"] == 0
