"""The identifiers of sessions and clients."""

import re

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

IDENTIFIER_PATTERN = r"^[A-Za-z0-9_-]{1,64}\Z"
"""The same rule as `is_identifier`, for msgspec constraints."""


def is_identifier(text: str) -> bool:
    """Say whether `text` may name a session or a client."""
    return _IDENTIFIER.fullmatch(text) is not None
