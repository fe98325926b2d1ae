"""Letting the sessions of probes expire: nobody comes back to them."""

import contextlib

from isshoni.backend.redis_keys import session_keys

_TIMEOUT_SECONDS = 2.0
_EXPIRE_SECONDS = 60
"""After the last late write of a backend, and its last look."""


async def expire_session(redis_url: str, session_id: str) -> None:
    """Have Redis forget a session soon; one that cannot be told is left behind."""
    import redis.asyncio  # slow to load, and only who deploys needs it
    import redis.exceptions

    with contextlib.suppress(redis.exceptions.RedisError, OSError, ValueError):
        client = redis.asyncio.from_url(
            redis_url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
        )
        try:
            for key in session_keys(session_id).all:
                await client.expire(key, _EXPIRE_SECONDS)
        finally:
            await client.aclose()
