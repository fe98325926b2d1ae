"""Compare this process's encryption key with the one that the stored data was sealed with."""

import contextlib
from typing import Protocol

from isshoni.backend.errors import KeyRefused, StoreUnavailable, Unreadable
from isshoni.backend.security.vault import Vault
from isshoni.backend.store.ports import NoteStore, ReconnectEvents
from isshoni.backend.store.redis.link import NotWriter

KEY_CHECK = "keycheck"
"""The note with the test value: a process that can decrypt it has the key of this Redis."""
_CANARY = b"isshoni"


class CheckedNotes(NoteStore, ReconnectEvents, Protocol):
    """The notes with the stored test value, and the reconnects after which it is read again."""


class KeyCheck:
    """Compares this process's key with the stored data, once and after each reconnect."""

    def __init__(self, notes: CheckedNotes, vault: Vault) -> None:
        self._notes = notes
        self._vault = vault
        self.is_done = False
        notes.on_reconnect(self._doubt)

    def _doubt(self) -> None:
        # It may be another Redis, or one that was emptied.
        self.is_done = False

    async def run(self) -> None:
        """Raise `KeyRefused` unless this process can decrypt the stored test value.

        If no test value (`keycheck`) is stored, the first process with a key stores one.
        """
        canary = await self._notes.read_note(KEY_CHECK)
        if canary is None and self._vault.seals:
            try:
                canary = await self._notes.keep_note(KEY_CHECK, self._vault.seal(_CANARY))
            except NotWriter:
                return  # the region that writes stores one; until then there is nothing to compare
        if canary is not None:
            await self._compare(canary)
        self.is_done = True

    async def _compare(self, canary: bytes) -> None:
        try:
            self._vault.open(canary)
        except Unreadable as fault:
            self.is_done = False
            raise KeyRefused(
                f"the sessions in this Redis are encrypted with another key: {fault}; "
                "nothing is read or written. Set SESSION_ENCRYPTION_KEY to the key that they "
                "were written with (behind a new one, if it is to be replaced)"
            ) from None
        if self._vault.seals and not self._vault.is_current(canary):
            # If Redis refuses writes now, the check is written next time: reading still works.
            with contextlib.suppress(StoreUnavailable):
                await self._notes.keep_note(KEY_CHECK, self._vault.seal(_CANARY), replace=True)
