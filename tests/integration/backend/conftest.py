"""One real Redis a module, one real backend process beside it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backend import BackendProcess
from tests.support.regions import TestRegion, settle, two_regions
from tests.support.valkey import ValkeyServer


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey") / "data", fsync="everysec") as server:
        yield server


@pytest.fixture(scope="module")
def backend(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    """The blue process that the tests of a module share."""
    log = tmp_path_factory.mktemp("blue") / "log"
    with BackendProcess(valkey.url, log) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def green(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    """A second process on the same Redis."""
    log = tmp_path_factory.mktemp("green") / "log"
    with BackendProcess(valkey.url, log, "green") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def own_backend(valkey: ValkeyServer, tmp_path: Path) -> Iterator[BackendProcess]:
    """A process that one test may end."""
    with BackendProcess(valkey.url, tmp_path / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def session_id() -> str:
    return secrets.token_hex(8)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestRegion, TestRegion]]:
    """East and west, shared by all tests of regions."""
    with two_regions(tmp_path_factory.mktemp("regions")) as started:
        yield started


@pytest.fixture
def regions(both: tuple[TestRegion, TestRegion]) -> tuple[TestRegion, TestRegion]:
    """East writes, and west is ready to take over."""
    settle(*both)
    return both
