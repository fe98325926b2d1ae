"""Store the page's assets in Redis, where the processes of all versions find them.

A page loads its parts when it first needs them. So an old tab requests assets of its version
also after the other colour, of another version, has taken over.
"""

import asyncio
import contextlib
import hmac
import logging
import re
from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Protocol

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.http.pages import ASSETS, PageFile, Pages, make_page_file
from isshoni.backend.log import log_event
from isshoni.backend.store.ports import NoteStore, ReconnectEvents
from isshoni.backend.store.redis.link import NotWriter

KEPT_SECONDS = 86_400.0
"""Seconds that assets are kept after the last process of their version has ended."""
_RENEW_SECONDS = 3600.0
_RETRY_SECONDS = 0.5
_TRUSTED_SECONDS = 10.0
MAX_SHELF_BYTES = 32 * 1024 * 1024
"""Of one version."""
_MAC_BYTES = 32
_NAME = re.compile(r"assets/[A-Za-z0-9._/-]{1,200}")


class ShelfStore(NoteStore, ReconnectEvents, Protocol):
    """The notes that hold the assets, and the reconnects after which they are stored again."""


class AssetShelf:
    """The assets in Redis, each with the deployment's mark.

    Without the mark, anyone who can write to Redis could make every browser run their code.
    """

    def __init__(self, store: ShelfStore, secret: str) -> None:
        self._store = store
        key = blake2b(secret.encode(), digest_size=32, person=b"isshoni-asset").digest()
        self._keyed = blake2b(key=key, digest_size=_MAC_BYTES)
        self._doubted = asyncio.Event()
        store.on_reconnect(self._doubted.set)  # it may be a Redis that has lost them
        self.filled = asyncio.Event()
        """Set once every other process can find the assets of this version."""

    async def find(self, name: str) -> PageFile | None:
        """Return an asset of another version; None if it is not stored."""
        if not _NAME.fullmatch(name):
            return None
        stored = await self._store.read_note(_note_of(name))
        if stored is None:
            return None
        mac, content = stored[:_MAC_BYTES], stored[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._sign(name, content)):
            log_event("asset_forged", level=logging.ERROR, asset=name)
            return None
        return await asyncio.to_thread(make_page_file, name, content)

    def doubt(self) -> None:
        """Store the assets again soon: what Redis has, or accepts, may have changed."""
        self._doubted.set()

    def trust_predecessor(self) -> None:
        """Assume that the assets are stored: a process of the same release has served until now."""
        self.filled.set()

    async def fill(self, pages: Pages) -> None:
        """Store this version's assets, and renew them for as long as this process runs."""
        if self.filled.is_set():
            # All clients reconnect at this moment; the assets are stored already, so this can wait.
            await self._wait_for_doubt(_TRUSTED_SECONDS)
        while True:
            self._doubted.clear()
            try:
                await self._fill_once(pages)
            except StoreUnavailable as fault:
                if not self.filled.is_set() and await self._is_filled(pages):
                    # An earlier process of this version filled it; Redis merely refuses writes.
                    self.filled.set()
                if isinstance(fault, NotWriter):
                    await self._wait_for_doubt(_RENEW_SECONDS)  # until this region may write
                else:
                    await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.filled.set()
            await self._wait_for_doubt(_RENEW_SECONDS)

    async def _wait_for_doubt(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._doubted.wait(), seconds)

    async def _is_filled(self, pages: Pages) -> bool:
        try:
            async for note, marked in self._list_notes(pages):
                if await self._store.read_note(note) != marked:
                    return False
        except StoreUnavailable:
            return False
        return True

    async def _fill_once(self, pages: Pages) -> None:
        async for note, marked in self._list_notes(pages):
            await self._store.lend_note(note, marked, seconds=KEPT_SECONDS)

    async def _list_notes(self, pages: Pages) -> AsyncIterator[tuple[str, bytes]]:
        """List the notes that this version's page needs, as many as fit into `MAX_SHELF_BYTES`."""
        room_bytes = MAX_SHELF_BYTES
        for name in filter(_NAME.fullmatch, pages.names()):
            content = await pages.read(name)
            room_bytes -= len(content)
            if room_bytes < 0:
                log_event("assets_left_out", level=logging.ERROR, first=name, most=MAX_SHELF_BYTES)
                return
            yield _note_of(name), self._sign(name, content) + content

    def _sign(self, name: str, content: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(name.encode() + b"\0" + content)
        return mac.digest()


def _note_of(name: str) -> str:
    return "asset:" + name.removeprefix(ASSETS)
