"""The list that each fault adds itself to."""

from collections.abc import Awaitable, Callable

from tests.chaos.installation import Installation

Fault = Callable[[Installation], Awaitable[None]]
"""Strikes, lasts as long as it must, and has healed when it returns."""
FAULTS: dict[str, Fault] = {}


def fault(action: Fault) -> Fault:
    """Add a fault to the list; it may strike alone or beside others."""
    FAULTS[action.__name__] = action
    return action
