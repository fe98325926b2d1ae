"""Faults under which nothing can be saved, and all that is stored must still be read.

They check that clients are let in, so nothing else may strike beside them: they are no part
of random combinations.
"""

import asyncio
import secrets

import httpx
from websockets.asyncio.client import connect

from isshoni.backend.security.tickets import Tickets
from isshoni.environments.local.credentials import load_credentials
from tests.chaos.installation import Installation
from tests.chaos.process_faults import FREEZE_SECONDS
from tests.chaos.redis_faults import redis_setting
from tests.support.backend import RawClient


async def fill_redis_for_visitors(installation: Installation) -> None:
    """Fill Redis; a session of before is restored, moved into and deleted all the same."""
    session_id = await _write_a_session(installation)
    async with redis_setting(installation, "maxmemory", "1mb"):
        await _visit(installation, session_id)
        await _visit(installation, session_id, by_ticket=True)
        url = f"{installation.url.replace('ws', 'http', 1)}/sessions/{session_id}"
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.delete(url)).status_code == 204


async def lose_replica(installation: Installation) -> None:
    """Stop the replica that every write waits for; sessions are restored all the same."""
    session_id = await _write_a_session(installation)
    assert installation.replica is not None
    installation.replica.freeze()
    try:
        await _visit(installation, session_id)
        await asyncio.sleep(FREEZE_SECONDS)
        await _visit(installation, session_id, by_ticket=True)
    finally:
        installation.replica.thaw()


async def _open(installation: Installation, session_id: str, *, by_ticket: bool) -> RawClient:
    query = ""
    if by_ticket:
        colour = installation.stable().colour
        secret = load_credentials(installation.state_dir).ticket_secret
        query = f"?target={colour}&ticket={Tickets(secret).issue(session_id, colour)}"
    url = f"{installation.url}/ws/{session_id}{query}"
    return RawClient(await connect(url, proxy=None), session_id)


async def _write_a_session(installation: Installation) -> str:
    session_id = f"visited-{secrets.token_hex(4)}"
    client = await _open(installation, session_id, by_ticket=False)
    await client.restore(client_id="host")
    await client.chat(1, "welcome")
    await client.read("ack")
    await client.close()
    return session_id


async def _visit(installation: Installation, session_id: str, *, by_ticket: bool = False) -> None:
    """Enter a session and read it; what is written there must not be acknowledged."""
    async with asyncio.timeout(10):
        client = await _open(installation, session_id, by_ticket=by_ticket)
        restored = await client.restore(client_id="guest")
        assert restored["chat_history"][0]["text"] == "welcome"
        await client.chat(1, "this cannot be saved")
        assert (await client.read("ack", "error"))["type"] == "error"
        await client.close()
