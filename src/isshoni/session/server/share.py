"""Choose which sessions move first: an order of all sessions that is the same everywhere."""

from functools import lru_cache
from hashlib import blake2b


@lru_cache(maxsize=1 << 16)
def calculate_bucket_pct(session_id: str) -> float:
    """Return a session's place in that order, from 0 to 100, always the same.

    Sessions are spread evenly, and a share of 50 % contains every session of one of 10 %.
    """
    digest = blake2b(session_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest) * 100.0 / (1 << 32)


def is_in_share(session_id: str, share_pct: float) -> bool:
    """True if a session is among the `share_pct` that move."""
    return calculate_bucket_pct(session_id) < share_pct
