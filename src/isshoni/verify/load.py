"""The synthetic users of one process, from their arrival to their findings."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from isshoni.garbage import ShortCollections
from isshoni.verify.attribution import Probe
from isshoni.verify.clock import RunClock
from isshoni.verify.collected import Collected, collect
from isshoni.verify.crowd import WHOLE, Crowd, Share
from isshoni.verify.prober import probe_while_cut
from isshoni.verify.readers import read_final_state
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Books


class Counts(msgspec.Struct, frozen=True):
    """The progress of some users, in numbers."""

    connected: int = 0
    messages: int = 0
    acked: int = 0
    deliveries: int = 0

    def __add__(self, more: "Counts") -> "Counts":
        return Counts(
            self.connected + more.connected,
            self.messages + more.messages,
            self.acked + more.acked,
            self.deliveries + more.deliveries,
        )


class Load(Protocol):
    """The users of a run, wherever they are; each method is called once, in this order."""

    async def connect(self) -> None:
        """Connect all users at a limited pace, and probe while any of them is cut."""

    async def start_talking(self) -> None:
        """Let all users type and draw."""

    async def stop_talking(self) -> None:
        """Stop all users from typing and drawing."""

    async def settle(self) -> None:
        """Wait, for a limited time, until everything has reached every user."""

    async def read_final_state(self) -> None:
        """Record the final logs and canvases, as users and newcomers see them."""

    async def collect(self, deploys_began_at: Sequence[float], ended_at: float) -> Collected:
        """Judge what was recorded."""

    async def leave(self) -> None:
        """Close every connection, whatever was reached; can be called at any time."""

    def count(self) -> Counts:
        """Return the progress."""


class LocalLoad:
    """Users of this process: all of a run, or a part of them."""

    def __init__(
        self, url: str, settings: RunSettings, clock: RunClock, share: Share = WHOLE
    ) -> None:
        self._url = url
        self._settings = settings
        self._books = Books(clock=clock)
        self._crowd = Crowd(url, settings, self._books, share=share)
        self._probes: list[Probe] = []
        self._prober: asyncio.Task[None] | None = None
        self._cpu_seconds = 0.0
        # Or what is measured would be the stalls of this process: of some tenths of a second.
        self._collections = ShortCollections()

    async def connect(self) -> None:
        """Connect all users at a limited pace, and probe while any of them is cut."""
        self._collections.start()
        cut, now = self._crowd.cut_session, self._books.clock.now
        self._prober = asyncio.create_task(
            probe_while_cut(self._url, cut, now, self._probes, self._settings.token)
        )
        await self._crowd.connect()

    async def start_talking(self) -> None:
        """Let all users type and draw."""
        self._crowd.start_talking()
        self._cpu_seconds -= time.process_time()

    async def stop_talking(self) -> None:
        """Stop all users from typing and drawing."""
        await self._crowd.stop_talking()
        self._cpu_seconds += time.process_time()

    async def settle(self) -> None:
        """Wait, for a limited time, until everything has reached every user."""
        await self._crowd.settle()

    async def read_final_state(self) -> None:
        """Record the final logs and canvases, as users and newcomers see them."""
        await read_final_state(self._url, self._crowd, self._books, self._settings.token)
        await self._stop_probing()

    async def collect(self, deploys_began_at: Sequence[float], ended_at: float) -> Collected:
        """Judge what was recorded."""
        return collect(
            self._books,
            self._crowd.users,
            self._probes,
            deploys_began_at=deploys_began_at,
            ended_at=ended_at,
            cut_seconds=self._settings.limits.cut_seconds,
            cpu_seconds=self._cpu_seconds,
        )

    async def leave(self) -> None:
        """Close every connection, whatever was reached; can be called at any time."""
        await self._stop_probing()
        await self._crowd.leave()
        self._collections.stop()

    def count(self) -> Counts:
        """Return the progress."""
        chat = self._books.chat
        return Counts(self._crowd.connected, len(chat.messages), chat.acked, len(chat.latency))

    async def _stop_probing(self) -> None:
        if self._prober is not None:
            self._prober.cancel()
            with suppress(asyncio.CancelledError):
                await self._prober
            self._prober = None
