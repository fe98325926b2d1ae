"""How the tests are spread over workers: in what order, and what stays together."""

import pytest
from xdist.scheduler import LoadFileScheduling

FIRST = ("e2e/test_aws", "infrastructure/", "e2e/", "compat/", "chaos/", "integration/")
"""Those that take minutes begin, so that the workers end together."""
APPLIES = "infrastructure/test_apply.py"
"""Mostly waits for minutes: not on the worker that has the rest of its folder."""


class SharedInstallations(LoadFileScheduling):  # type: ignore[misc]
    """A file at a time to each worker, and those together that share what is dear to make."""

    def _split_scope(self, nodeid: str) -> str:
        path = path_of(nodeid)
        shares_plans = path.startswith("infrastructure/") and path != APPLIES
        return "infrastructure" if shares_plans else path


def rank_of(item: pytest.Item) -> int:
    """Give the place of a test among the others; equals keep their order."""
    path = path_of(item.nodeid)
    return next((rank for rank, first in enumerate(FIRST) if path.startswith(first)), len(FIRST))


def path_of(nodeid: str) -> str:
    """Give the file of a test, below tests/."""
    return nodeid.partition("::")[0].removeprefix("tests/")
