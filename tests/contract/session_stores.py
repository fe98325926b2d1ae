"""What the contract tests of session stores share."""

from collections.abc import Awaitable, Callable

from isshoni.backend.ports import SessionStore

Open = Callable[[], Awaitable[SessionStore]]
"""Opens one more store on the same data."""


async def store_payloads(store: SessionStore, session_id: str) -> list[bytes]:
    entries = await store.read_chat(session_id, after=0, limit=1000)
    return [entry.payload for entry in entries]
