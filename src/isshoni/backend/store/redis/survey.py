"""Probe every server of a Redis, and find the sessions on it."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from time import monotonic

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.keys import (
    REHEARSAL_PREFIX,
    SESSION_PATTERN,
    parse_session_id,
    session_keys,
)
from isshoni.backend.store.redis.link import ErrorReply, RedisLink, RedisNodes
from isshoni.backend.store.redis.link.node import RedisNode
from isshoni.backend.store.redis.link.replication import parse_info
from isshoni.backend.store.redis.link.slots import slot_of_tag, tag_in_slot

_SCAN_PAGE = 200
_MAX_SCAN_ROUNDS = 50
_PROBE_TTL_MS = 10_000


async def probe_nodes(nodes: RedisNodes) -> float:
    """Write and read a key on every primary; return the seconds of the slowest.

    It waits for no replica, because readiness is checked more often than a WAIT may take; a
    rehearsal (rehearsal.py) detects that writes cannot be acknowledged.
    """
    return max([await _probe(nodes, node.direct, slot) for node, slot in nodes.primaries()])


async def _probe(nodes: RedisNodes, link: RedisLink, slot: int) -> float:
    token = secrets.token_hex(8).encode()
    key = b"probe:{%b}:%b" % (tag_in_slot(slot), token)
    began = monotonic()
    await nodes.execute(slot, b"SET", key, token, b"PX", _PROBE_TTL_MS)
    if await link.execute(b"GET", key) != token:
        raise StoreUnavailable("Redis stored a probe key and did not return it")
    return monotonic() - began


async def sample_sessions(nodes: RedisNodes, limit: int) -> list[str]:
    """Find up to `limit` session ids, some of each primary, in a bounded number of steps."""
    primaries = nodes.primaries()
    share = -(-limit // len(primaries))
    found = [await _scan(node.direct, share) for node, _ in primaries]
    return [session_id for some in found for session_id in some][:limit]


async def _scan(link: RedisLink, limit: int) -> list[str]:
    found: dict[str, None] = {}
    cursor = b"0"
    for _ in range(_MAX_SCAN_ROUNDS):
        cursor, keys = await link.execute(
            b"SCAN", cursor, b"MATCH", SESSION_PATTERN, b"COUNT", _SCAN_PAGE
        )
        found |= {name: None for key in keys if (name := parse_session_id(key))}
        if cursor == b"0" or len(found) >= limit:
            break
    return list(found)[:limit]


async def list_sessions(nodes: RedisNodes) -> AsyncIterator[str]:
    """Find every session id on every primary; one that is there all along is not missed."""
    for node, _ in nodes.primaries():
        cursor, found = b"", set[str]()
        while cursor != b"0":
            cursor, keys = await node.direct.execute(
                b"SCAN", cursor or b"0", b"MATCH", SESSION_PATTERN, b"COUNT", _SCAN_PAGE
            )
            for session_id in map(parse_session_id, keys):
                if session_id is not None and session_id not in found:
                    found.add(session_id)
                    yield session_id


async def read_info(nodes: RedisNodes) -> list[dict[str, str] | None]:
    """Return the INFO text of each primary; None for a primary that refuses INFO."""
    return [await _read_info(node.direct) for node, _ in nodes.primaries()]


async def _read_info(link: RedisLink) -> dict[str, str] | None:
    try:
        return parse_info(await link.execute(b"INFO"))
    except ErrorReply:
        return None


class Rehearsals:
    """Creates and erases the rehearsal sessions of this process, one on each primary."""

    def __init__(self, nodes: RedisNodes) -> None:
        self._nodes = nodes
        self._token = secrets.token_hex(6)

    def list_ids(self) -> list[str]:
        """Return one reserved session id for each primary."""
        return [self._find_id(node) for node, _ in self._nodes.primaries()]

    def _find_id(self, node: RedisNode) -> str:
        # Counting up finds an id on each primary soon, and the same ids every time.
        ids = (f"{REHEARSAL_PREFIX}{self._token}-{number}" for number in itertools.count())
        return next(one for one in ids if self._nodes.owner(slot_of_tag(one.encode())) is node)

    async def limit_life(self, session_id: str, seconds: float) -> None:
        """Set every key of a session to expire, in case this process dies."""
        keys, life_ms = session_keys(session_id), round(seconds * 1000)
        orders = (self._nodes.execute(keys.slot, b"PEXPIRE", key, life_ms) for key in keys.all)
        await asyncio.gather(*orders, return_exceptions=False)

    async def erase(self, session_id: str) -> None:
        """Delete every key of a session without marking the session as deleted."""
        keys = session_keys(session_id)
        await self._nodes.execute(keys.slot, b"DEL", *keys.all, keys.files)
