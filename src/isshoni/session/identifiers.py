"""The identifiers of sessions and clients, and the numbers of messages, as types of a frame."""

import re
from typing import Annotated

import msgspec

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

IDENTIFIER_PATTERN = r"^[A-Za-z0-9_-]{1,64}\Z"
"""The same rule as `is_identifier`, for msgspec constraints."""
PROBE_PREFIX = "probe-"
"""The prefix of the ids of probes' sessions and clients."""
PROBE_AGENT = "isshoni-probe"
"""The `User-Agent` of probes' plain requests."""

Identifier = Annotated[str, msgspec.Meta(pattern=IDENTIFIER_PATTERN)]
Counter = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


def is_identifier(text: str) -> bool:
    """True if `text` may name a session or a client."""
    return _IDENTIFIER.fullmatch(text) is not None


def author_key(subject: str | None, client_id: str) -> str:
    """Return the key that a client's messages are stored under.

    It is `subject/client_id`, so that no other user can write or be acknowledged as this client,
    or `client_id` for a guest. `subject` is the user of the session token; None for a guest.
    Neither part contains a slash.
    """
    return client_id if subject is None else f"{subject}/{client_id}"
