"""Synthetic users that reload, restart or duplicate their client again and again.

They test what steady users cannot: numbers that an earlier life used, messages typed before the
restore is answered, messages in flight when a life ends, and two lives at a time.
"""

import asyncio
import random
from contextlib import suppress

from isshoni.verify.users import Books, Life, SyntheticUser

_TALK_SECONDS = (0.3, 2.0)
_TOGETHER_SECONDS = (0.2, 1.5)
_WORDS_BEFORE_RESTORE = 3
_LAST_WORDS = 2
_UNDER_WAY_SECONDS = 0.01
"""Longest wait between the last message and the crash: sent, but not yet acknowledged."""
_LEAVE_SECONDS = 10.0


class RestlessUser:
    """Lives under one client_id, one after another: reloaded, restarted, duplicated."""

    def __init__(
        self,
        url: str,
        session_id: str,
        client_id: str,
        books: Books,
        rng: random.Random,
        token: str | None = None,
        *,
        new_ids: bool = False,
    ) -> None:
        """Begin the first life; with `new_ids` each life has a client_id of its own."""
        self.session_id = session_id
        self.lives = 0
        self._new_ids = new_ids
        self._url = url
        self._client_id = client_id
        self._books = books
        self._rng = rng
        self._token = token
        self._user = self._begin(Life(number=1))

    @property
    def is_restored(self) -> bool:
        """True if the current life has an open, restored connection."""
        return self._user.client.is_restored

    def start(self) -> None:
        """Begin to connect."""
        self._user.client.start()

    async def live(self, messages_per_second: float) -> None:
        """Type in one life after another, until cancelled; the last life stays connected."""
        while True:
            await self._talk([self._user], self._rng.uniform(*_TALK_SECONDS), messages_per_second)
            ways = ("start again",) if self._new_ids else ("reload", "start again", "duplicate")
            match self._rng.choice(ways):
                case "reload":
                    await self._reload()
                case "start again":
                    await self._start_again()
                case _:
                    await self._duplicate(messages_per_second)

    async def aclose(self) -> None:
        """Close the current life."""
        await self._user.client.aclose()

    async def _reload(self) -> None:
        """Crash, and let the next life send what was not acknowledged."""
        old = await self._say_last_words()
        kept = old.client.outbox_state
        old.stop_reading()
        self._enter(Life(self.lives + 1, old.sender_page, kept))
        await old.client.acrash()

    async def _start_again(self) -> None:
        """Crash, and begin a life that knows only the client_id."""
        old = await self._say_last_words()
        old.stop_reading()
        old.forgive_unacked()
        self._enter(Life(self.lives + 1))
        await old.client.acrash()

    async def _duplicate(self, messages_per_second: float) -> None:
        """Let two lives type at the same time, then close the older one."""
        old = self._user
        self._enter(Life(self.lives + 1))
        both = [old, self._user]
        try:
            seconds = self._rng.uniform(*_TOGETHER_SECONDS)
            await self._talk(both, seconds, messages_per_second)
        finally:
            # Also on cancellation: one life is left, and nothing more is expected of the other.
            old.stop_reading()
            if not await _leave(old):
                old.forgive_unacked()

    async def _say_last_words(self) -> SyntheticUser:
        """Type messages that are in flight when the current life ends; return that life."""
        for _ in range(self._rng.randint(0, _LAST_WORDS)):
            self._user.type_message()
        await asyncio.sleep(self._rng.random() * _UNDER_WAY_SECONDS)
        return self._user

    def _enter(self, life: Life) -> None:
        """Begin a life, and type before its restore can be answered."""
        self._user = self._begin(life)
        for _ in range(self._rng.randint(0, _WORDS_BEFORE_RESTORE)):
            self._user.type_message()
        self._user.client.start()

    def _begin(self, life: Life) -> SyntheticUser:
        self.lives = life.number
        return SyntheticUser(
            self._url,
            self.session_id,
            f"{self._client_id}-{life.number}" if self._new_ids else self._client_id,
            self._books,
            self._rng,
            self._token,
            life=life,
        )

    async def _talk(self, users: list[SyntheticUser], seconds: float, per_second: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(self._rng.uniform(0.5, 1.5) / per_second / len(users))
                    self._rng.choice(users).type_message()


async def _leave(user: SyntheticUser) -> bool:
    """Close once all messages are saved; False if they were not saved in time."""
    leaving = asyncio.ensure_future(_save_and_close(user))
    try:
        return await asyncio.shield(leaving)
    except asyncio.CancelledError:
        await leaving
        raise


async def _save_and_close(user: SyntheticUser) -> bool:
    saved = await user.client.wait_until_saved(_LEAVE_SECONDS)
    await user.client.aclose()
    return saved
