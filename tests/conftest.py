"""What holds for every test."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support.two_at_a_time import SharedInstallations, rank_of

# A machine that is busy for a moment is no fault of what is tested.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

CANNOT_BE_INSTALLED = tuple(
    f"NOT RUN: needs {what}" for what in ("the right to", "the history of", "two cores")
)
"""Reasons for a skipped test that are no failure in CI."""

pytest_plugins = ["tests.support.aws.fixtures", "tests.support.terraform.fixtures"]


def pytest_configure() -> None:
    """Start every program with the default action of SIGHUP, also when run under `nohup`.

    An ignored signal stays ignored in a new program; a handled one does not. And without a width of
    the terminal: xdist gives its workers one of 80 columns, and commands break their lines there.
    """
    os.environ.pop("COLUMNS", None)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=rank_of)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedInstallations:
    """Keep together, on one worker, what shares an installation."""
    return SharedInstallations(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI nothing may be skipped: a check that did not run must not look green.

    Except for what no step of an installation can give: a right on the machine, a second
    core, and the history that a shallow clone lacks.
    """
    report: pytest.TestReport = yield  # type: ignore[assignment]
    cannot_be_given = any(reason in str(report.longrepr) for reason in CANNOT_BE_INSTALLED)
    if report.skipped and os.environ.get("CI") == "true" and not cannot_be_given:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} did not run: {report.longrepr}"
    return report  # type: ignore[return-value]
