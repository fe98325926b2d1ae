"""The contract of `NoteStore` and `ServerInfo`, over Redis and over the fake."""

import asyncio
import secrets

from isshoni.backend.store.ports import (
    DeploymentStore,
)


async def test_a_note_is_kept_until_it_is_replaced(deployment: DeploymentStore) -> None:
    name = secrets.token_hex(8)
    assert await deployment.read_note(name) is None
    assert await deployment.keep_note(name, b"one") == b"one"
    assert await deployment.keep_note(name, b"two") == b"one"
    assert await deployment.keep_note(name, b"two", replace=True) == b"two"
    assert await deployment.read_note(name) == b"two"


async def test_each_server_tells_its_version_policy_and_aof(deployment: DeploymentStore) -> None:
    servers = await deployment.read_info()
    assert len(servers) == len(deployment.rehearsal_sessions())
    names = {"redis_version", "maxmemory_policy", "aof_enabled"}
    assert all(info is not None and names <= info.keys() for info in servers)


async def test_a_lent_note_expires_and_lending_it_again_prolongs_it(
    deployment: DeploymentStore,
) -> None:
    brief, long = secrets.token_hex(8), secrets.token_hex(8)
    await deployment.lend_note(long, b"one", seconds=0.05)
    await deployment.lend_note(long, b"two", seconds=600)
    await deployment.lend_note(brief, b"one", seconds=0.05)
    async with asyncio.timeout(30):
        while await deployment.read_note(brief) is not None:  # noqa: ASYNC110 (no event for it)
            await asyncio.sleep(0.02)
    assert await deployment.read_note(long) == b"two"
