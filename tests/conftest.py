"""What holds for every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A machine that is busy for a moment is no fault of what is tested.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

pytest_plugins = ["tests.support.aws.fixtures", "tests.support.terraform.fixtures"]


FIRST = ("e2e/test_aws", "infrastructure/", "e2e/", "compat/", "chaos/", "integration/")
"""Those that take minutes begin, so that two workers end together."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and tell workers what belongs together: it shares what is dear to make."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group_of(item)))
    items.sort(key=_rank_of)


def _group_of(item: pytest.Item) -> str:
    if "applied_staging" in getattr(item, "fixturenames", ()):
        return "applied staging"
    path = _path_of(item)
    return "infrastructure" if path.startswith("infrastructure/") else path


def _rank_of(item: pytest.Item) -> int:
    path = _path_of(item)
    return next((rank for rank, first in enumerate(FIRST) if path.startswith(first)), len(FIRST))


def _path_of(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI nothing may be skipped: a check that did not run must not look green."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} did not run: {report.longrepr}"
    return report  # type: ignore[return-value]
