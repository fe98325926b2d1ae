"""The result of a check of `isshoni doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    ok: bool
    detail: str
    """What was found."""
    remedy: str | None = None
    """What to do about it, when it is not ok."""
