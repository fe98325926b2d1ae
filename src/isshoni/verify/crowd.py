"""All synthetic users of a run, as one."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from isshoni.verify.lean_canvas import CanvasState, SessionUpdates
from isshoni.verify.patience import wait_while_progressing
from isshoni.verify.restless import RestlessUser
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import CLIENT_ID_PREFIX, Books, SyntheticUser

POLL_SECONDS = 0.05
MOST_SETTLES = 8
"""However slowly it progresses, users settle for no longer than so many times the setting."""


@dataclass(frozen=True)
class Share:
    """The users of every `of`th session, from the one with number `index` on."""

    index: int = 0
    of: int = 1
    run: str | None = None
    """In the ids of all parts of a run; None for a new one."""


WHOLE = Share()


class Crowd:
    """The users: they connect, talk, stop, settle and leave together."""

    def __init__(
        self,
        url: str,
        settings: RunSettings,
        books: Books,
        *,
        sessions: str | None = None,
        share: Share = WHOLE,
    ) -> None:
        """Make the users, not connected yet, of sessions whose ids have `sessions` in them.

        By default the sessions are new ones: what an earlier run left would be no user's.
        """
        self._url = url
        self._settings = settings
        self._books = books
        self._pace = settings.connects_per_second / share.of
        self._talking: list[asyncio.Task[None]] = []
        self._run = share.run or uuid.uuid4().hex[:8]
        self._name = sessions or self._run
        self._updates = [SessionUpdates() for _ in range(settings.sessions)]
        steady = range(settings.clients)
        restless = range(settings.restless + settings.passing)
        self.users = [self._make_user(number) for number in steady if self._is_in(share, number)]
        self.restless = [
            self._make_restless(number) for number in restless if self._is_in(share, number)
        ]

    def _is_in(self, share: Share, number: int) -> bool:
        return number % self._settings.sessions % share.of == share.index

    def _make_user(self, number: int) -> SyntheticUser:
        settings = self._settings
        session = number % settings.sessions
        return SyntheticUser(
            self._url,
            f"{CLIENT_ID_PREFIX}{self._name}-{session}",
            f"{CLIENT_ID_PREFIX}{self._run}-u{number}",
            self._books,
            random.Random(f"{settings.seed}:{number}"),
            settings.token,
            # The first user of each session comes before the second of any.
            lean=None if number < settings.full else self._updates[session],
            acts_share=settings.habits.acts_share,
        )

    def _make_restless(self, number: int) -> RestlessUser:
        settings = self._settings
        return RestlessUser(
            self._url,
            f"{CLIENT_ID_PREFIX}{self._name}-{number % settings.sessions}",
            f"{CLIENT_ID_PREFIX}{self._run}-r{number}",
            self._books,
            random.Random(f"{settings.seed}:restless {number}"),
            settings.token,
            new_ids=number >= settings.restless,
        )

    @property
    def sessions(self) -> list[str]:
        """The ids of the sessions, in the order that they were opened."""
        return list(self._books.chat.sessions)

    @property
    def connected(self) -> int:
        """How many users have an open, restored connection."""
        return sum(user.timeline.connected for user in self.users)

    @property
    def joined(self) -> int:
        """How many users were ever in their session."""
        return sum(user.timeline.joined for user in self.users)

    def cut_session(self) -> str | None:
        """Return the session of a client that is cut right now; None if there is none."""
        cut = (u for u in self.users if u.timeline.joined and not u.timeline.connected)
        return next((user.session_id for user in cut), None)

    async def connect(self) -> None:
        """Connect all users at a limited pace; those who cannot join are reported as trouble.

        No more are on their way at a time than the pace allows in a second: a platform that
        restores fewer than that in a second is not sent a storm.
        """
        joined, patience_seconds = 0, self._settings.join_seconds
        for started, user in enumerate(self.users):
            while joined < started and self.users[joined].timeline.joined:
                joined += 1
            if started - joined > max(self._pace, 1) and patience_seconds > 0:
                patience_seconds -= await self._wait_for(self.users[joined], patience_seconds)
            user.client.start()
            await asyncio.sleep(1 / self._pace)
        for restless in self.restless:
            restless.start()
        await self._wait(self._all_have_joined, self._settings.join_seconds)
        missing = len(self.users) - self.joined
        if missing:
            self._books.trouble.append(
                f"{missing} of {len(self.users)} clients never got into their session "
                f"within {self._settings.join_seconds:g} s."
            )

    def start_talking(self) -> None:
        """Let all users type and draw until `stop_talking`."""
        habits = self._settings.habits
        talkers = [user for user in self.users if user.timeline.joined]
        talks = [user.talk(habits) for user in talkers]
        talks += [user.live(habits.messages_per_second) for user in self.restless]
        self._talking = [asyncio.create_task(talk) for talk in talks]

    async def stop_talking(self) -> None:
        """Stop all users from typing and drawing."""
        for task in self._talking:
            task.cancel()
        for task in self._talking:
            with suppress(asyncio.CancelledError):
                await task
        self._talking = []

    async def settle(self) -> None:
        """Wait until all is acknowledged, saved and delivered to all users.

        It ends after `settle_seconds` in which nothing of that has come closer.
        """
        await wait_while_progressing(
            self._is_settled,
            self._measure_progress,
            patience_seconds=self._settings.settle_seconds,
            longest_seconds=MOST_SETTLES * self._settings.settle_seconds,
            poll_seconds=POLL_SECONDS,
        )

    def _measure_progress(self) -> tuple[int, ...]:
        chat, edits = self._books.chat, self._books.edits
        return self.connected, chat.acked, len(chat.latency), edits.saved

    async def leave(self) -> None:
        """Close every connection."""
        await self.stop_talking()
        await asyncio.gather(
            *(user.client.aclose() for user in self.users),
            *(user.aclose() for user in self.restless),
        )

    async def _wait_for(self, user: SyntheticUser, seconds: float) -> float:
        """Wait for a user to join; return how long that took."""
        began = time.monotonic()
        await self._wait(lambda: user.timeline.joined, seconds)
        return time.monotonic() - began

    def _all_have_joined(self) -> bool:
        restless_in = all(user.is_restored for user in self.restless)
        return restless_in and self.joined == len(self.users)

    def _is_settled(self) -> bool:
        for user in self.users:
            # A reconnect can find a canvas saved without a `saved` frame.
            user.note_saved(user.client.unsaved_edits)
        chat, edits = self._books.chat, self._books.edits
        return (
            chat.everything_acked()
            and edits.everything_saved()
            and chat.everything_delivered()
            and self._canvases_agree()
        )

    def _canvases_agree(self) -> bool:
        states: dict[str, CanvasState] = {}
        return all(
            states.setdefault(user.session_id, state) == state
            for user, state in ((user, user.canvas_state) for user in self.users)
        )

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    began = time.monotonic()
                    if condition():
                        return
                    # With thousands of users a check takes so long that it would delay them.
                    await asyncio.sleep(max(POLL_SECONDS, 4 * (time.monotonic() - began)))
