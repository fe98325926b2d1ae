"""The callback by which an environment reports what it is doing."""

from collections.abc import Callable

ReportStep = Callable[[str], None]
"""Called with a short phrase when a step begins, like "starting Redis"."""


def ignore_step(step: str) -> None:
    """Report nothing."""
    del step
