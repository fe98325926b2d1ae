"""Faults of the backend."""

from isshoni.errors import IsshoniError


class StoreUnavailable(IsshoniError):
    """Redis did not take or give something; nothing of it may be acknowledged."""
