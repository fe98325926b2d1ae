"""The identifiers of sessions and clients."""

import re

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

IDENTIFIER_PATTERN = r"^[A-Za-z0-9_-]{1,64}\Z"
"""The same rule as `is_identifier`, for msgspec constraints."""


def is_identifier(text: str) -> bool:
    """True if `text` may name a session or a client."""
    return _IDENTIFIER.fullmatch(text) is not None


def author_key(subject: str | None, client_id: str) -> str:
    """Name a client so that nobody else can write, or be acknowledged, in its place.

    `subject` is whom a session token names; None for a guest. Neither holds a slash.
    """
    return client_id if subject is None else f"{subject}/{client_id}"
