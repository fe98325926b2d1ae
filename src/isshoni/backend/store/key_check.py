"""Compare this process's encryption key with the one that the stored data was sealed with."""

from typing import Protocol

from isshoni.backend.errors import KeyRefused, Unreadable
from isshoni.backend.security.vault import Vault
from isshoni.backend.store.ports import NoteStore, ReconnectEvents
from isshoni.backend.store.redis.link import NotWriter

KEY_CHECK = "keycheck"
"""The note with the test value: a process that can decrypt it has the key of this Redis."""
_CANARY = b"isshoni"


class CheckedNotes(NoteStore, ReconnectEvents, Protocol):
    """The notes with the stored test value, and the reconnects after which it is read again."""


class KeyCheck:
    """Compares this process's key with the stored data, once and after each reconnect.

    The test value is stored with the first content that this process seals, not before: a candidate
    whose key the stable version lacks is rolled back, and must not have locked that one out.
    """

    def __init__(self, notes: CheckedNotes, vault: Vault) -> None:
        self._notes = notes
        self._vault = vault
        self.is_done = False
        self.is_stored = False
        """True if the stored test value is sealed as this process seals content."""
        notes.on_reconnect(self._doubt)

    def _doubt(self) -> None:
        # It may be another Redis, or one that was emptied.
        self.is_done = self.is_stored = False

    async def run(self) -> None:
        """Raise `KeyRefused` unless this process can decrypt the stored test value."""
        self._compare(await self._notes.read_note(KEY_CHECK))

    async def store(self) -> None:
        """Seal the test value with the first key. Raises `KeyRefused`, `StoreUnavailable`."""
        await self.run()
        while not self.is_stored:
            mine = self._vault.seal(_CANARY)
            has_one = await self._notes.read_note(KEY_CHECK) is not None
            try:
                self._compare(await self._notes.keep_note(KEY_CHECK, mine, replace=has_one))
            except NotWriter:
                return  # the region that writes stores one; until then there is nothing to compare

    def _compare(self, canary: bytes | None) -> None:
        try:
            if canary is not None:
                self._vault.open(canary)
        except Unreadable as fault:
            self.is_done = self.is_stored = False
            raise KeyRefused(
                f"the sessions in this Redis are encrypted with another key: {fault}; "
                "nothing is read or written. Set SESSION_ENCRYPTION_KEY to the key that they "
                "were written with (behind a new one, if it is to be replaced)"
            ) from None
        is_current = canary is not None and self._vault.is_current(canary)
        self.is_stored = is_current or not self._vault.seals
        self.is_done = True
