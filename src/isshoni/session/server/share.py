"""Which sessions move first: a stable order of all sessions, the same in every process."""

from functools import lru_cache
from hashlib import blake2b


@lru_cache(maxsize=1 << 16)
def calculate_bucket_pct(session_id: str) -> float:
    """Return a session's place in 0–100: evenly spread, and always the same.

    A share of 50 % thus contains every session of a share of 10 %.
    """
    digest = blake2b(session_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest) * 100.0 / (1 << 32)


def is_in_share(session_id: str, share_pct: float) -> bool:
    """True if a session is among the `share_pct` that move."""
    return calculate_bucket_pct(session_id) < share_pct
