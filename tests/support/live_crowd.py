"""Synthetic users who stay connected through one deploy after another, and their ledger."""

from collections.abc import Awaitable
from typing import TypeVar

from isshoni.verify.assemble import assemble_result
from isshoni.verify.crowd import Crowd
from isshoni.verify.readers import read_final_state
from isshoni.verify.result import Result
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Books, Habits

T = TypeVar("T")
PATIENT = RunSettings(
    clients=8, sessions=4, habits=Habits(4.0, 1.0), join_seconds=60.0, settle_seconds=60.0
)
"""A few users who talk much, on a machine that may be slow."""


class LiveCrowd:
    """Users of a platform: they talk while something is done, until all is settled."""

    def __init__(self, url: str, settings: RunSettings = PATIENT) -> None:
        self._url = url
        self._settings = settings
        self._books = Books()
        self._crowd = Crowd(url, settings, self._books)

    async def come(self) -> None:
        """Connect all users."""
        await self._crowd.connect()

    async def talk_through(self, doing: Awaitable[T]) -> T:
        """Type and draw until it is done, and wait until every user has everything."""
        self._crowd.start_talking()
        try:
            return await doing
        finally:
            await self._crowd.stop_talking()
            await self._crowd.settle()

    async def judge(self) -> Result:
        """Compare what every user saw since it joined with what was acknowledged."""
        await read_final_state(self._url, self._crowd, self._books)
        return assemble_result(
            url=self._url,
            settings=self._settings,
            books=self._books,
            users=self._crowd.users,
            probes=[],
            deploys=[],
            ended_at=self._books.clock.now(),
        )

    async def leave(self) -> None:
        """Close every connection."""
        await self._crowd.leave()
