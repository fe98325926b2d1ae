"""A connection to Redis that is opened again whenever it is lost."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.log import log_event
from isshoni.backend.store.redis.link.address import Locator
from isshoni.backend.store.redis.link.connection import PushHandler, RedisConnection
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.opening import open_connection
from isshoni.backend.store.redis.link.settings import LinkSettings
from isshoni.backend.tasks import start_lasting


class Reconnecting:
    """Keeps one `RedisConnection` open until it is closed; the base of both links."""

    _push_handler: PushHandler | None = None
    purpose = "commands"
    """The purpose of the connection, for log lines."""

    def __init__(self, where: Locator, settings: LinkSettings, meter: RedisMeter) -> None:
        self._where = where
        self._settings = settings
        self._meter = meter
        self._connection: RedisConnection | None = None
        self._connected = asyncio.Event()
        self._tried = asyncio.Event()
        self._failure = "start() was not called"
        self._failures = 0
        self._lost_at: float | None = None
        """When the connection was lost; None once the next one has lasted for a while."""
        self._keeper: asyncio.Task[None] | None = None
        self.on_end: Callable[[], None] = _do_nothing
        """Called when an established connection is lost."""

    async def start(self) -> None:
        """Begin to connect; returns when the first attempt has succeeded or failed.

        A Redis that cannot be reached is no error here: this is retried until `aclose`.
        """
        assert self._keeper is None, "started twice"
        self._keeper = start_lasting("keep a Redis connection", self._keep_connected)
        await self._tried.wait()

    async def aclose(self) -> None:
        """Close the connection; commands without an answer fail."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._failure = "the link was closed"

    @property
    def connected(self) -> bool:
        """True if the connection is open and prepared, as far as is known."""
        # The connection learns of its end one turn of the loop before its keeper.
        connection = self._connection
        return connection is not None and connection.open and self._connected.is_set()

    def drop(self, reason: str) -> None:
        """Close the connection, if there is one; another one is opened."""
        if self._connection is not None:
            self._connection.abort(reason)

    async def wait_until_connected(self) -> None:
        """Wait until the connection is open and prepared, without a limit."""
        await self._connected.wait()

    def _require_connection(self) -> RedisConnection:
        if self._connection is None:
            self._meter.errors += 1
            raise StoreUnavailable(f"Redis at {self._where} is not connected: {self._failure}")
        return self._connection

    async def _prepare(self, connection: RedisConnection) -> None:
        """Restore on a new connection the state that the last one had."""

    def _announce(self) -> None:
        """Hook for subclasses: called once a new connection is ready for use."""

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._live_through_one_connection()
            except StoreUnavailable as fault:
                self._failure = str(fault)
                self._meter.errors += 1
                self._log_lost()
            except Exception as fault:  # a bug: reported by the task, which begins again
                self._failure = f"{type(fault).__name__}: {fault}"
                raise
            finally:
                self._tried.set()
            await asyncio.sleep(self._calculate_backoff_seconds())
            self._failures += 1
            self._meter.reconnects += 1

    def _log_lost(self) -> None:
        if self._lost_at is None:
            self._lost_at = asyncio.get_running_loop().time()
            fields = {"server": self._where, "link": self.purpose, "reason": self._failure}
            log_event("redis_lost", level=logging.WARNING, **fields)

    def _log_back(self, connection: RedisConnection) -> None:
        if self._lost_at is not None and connection.open:
            seconds = asyncio.get_running_loop().time() - self._lost_at
            self._lost_at = None
            log_event("redis_back", server=self._where, link=self.purpose, after_seconds=seconds)

    def _calculate_backoff_seconds(self) -> float:
        ceiling = self._settings.backoff_base_seconds * 2.0 ** min(self._failures, 16)
        return random.uniform(0, min(ceiling, self._settings.backoff_cap_seconds))

    async def _live_through_one_connection(self) -> None:
        connection = await self._connect()
        try:
            self._connection = connection
            await self._prepare(connection)
            self._connected.set()
            self._tried.set()
            self._announce()
            await self._beat_until_lost(connection)
        finally:
            self._connected.clear()
            self._connection = None
            self.on_end()
            await connection.drop("the link was closed")

    async def _beat_until_lost(self, connection: RedisConnection) -> None:
        while not connection.closed.done():
            await asyncio.wait([connection.closed], timeout=self._settings.heartbeat_seconds)
            self._log_back(connection)
            if connection.idle:
                with contextlib.suppress(StoreUnavailable):  # `closed` will say why
                    await connection.execute(b"PING")
                    # Only now: a server that drops each new connection must not get more.
                    self._failures = 0
        raise StoreUnavailable(connection.closed.result())

    async def _connect(self) -> RedisConnection:
        address = await self._where.locate()
        connection = await open_connection(address, self._settings, self._meter, self._push_handler)
        if self._where.must_be_primary and (await connection.execute(b"ROLE"))[0] != b"master":
            await connection.drop("it is a replica")
            raise StoreUnavailable(f"{address} is a replica; its promotion may be under way")
        return connection


def _do_nothing() -> None:
    """Do nothing."""
