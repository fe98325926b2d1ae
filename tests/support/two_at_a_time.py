"""How the tests are spread over workers: in what order, what stays together, what runs beside."""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

FIRST = ("e2e/test_aws", "infrastructure/", "e2e/", "compat/", "chaos/", "integration/")
"""Those that take minutes begin, so that the workers end together."""
APPLIES = "infrastructure/test_apply.py"
"""Its account is its own: not together with the rest of its folder, which shares plans."""
WAITS = ("e2e/test_aws", "infrastructure/", "integration/aws/")
"""Mostly wait for Terraform, which itself waits: a third worker has them, beside the two."""
THIRD = "gw2"


class SharedInstallations(LoadFileScheduling):  # type: ignore[misc]
    """A file at a time to each worker, and those together that share what is dear to make.

    Of three workers the third takes only what mostly waits, and ends when that is taken: no more
    than two at a time use the cores. The two help with it when nothing else is left.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = path_of(nodeid)
        shares_plans = path.startswith("infrastructure/") and path != APPLIES
        return "infrastructure/" if shares_plans else path

    def _assign_work_unit(self, node: Any) -> None:
        if self.numnodes == 3:
            wanted = self._is_third(node)
            fitting = (scope for scope in self.workqueue if scope.startswith(WAITS) == wanted)
            if (scope := next(fitting, None)) is not None:
                self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if self._is_third(node) and not node.shutting_down and not self._has_waits():
            node.shutdown()  # after what it was given
        super()._reschedule(node)

    def _is_third(self, node: Any) -> bool:
        return bool(self.numnodes == 3 and node.gateway.id == THIRD)

    def _has_waits(self) -> bool:
        return any(scope.startswith(WAITS) for scope in self.workqueue)


def rank_of(item: pytest.Item) -> int:
    """Give the place of a test among the others; equals keep their order."""
    path = path_of(item.nodeid)
    return next((rank for rank, first in enumerate(FIRST) if path.startswith(first)), len(FIRST))


def path_of(nodeid: str) -> str:
    """Give the file of a test, below tests/."""
    return nodeid.partition("::")[0].removeprefix("tests/")
