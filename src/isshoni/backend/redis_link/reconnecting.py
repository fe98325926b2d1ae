"""A connection to Redis that comes back by itself."""

import asyncio
import contextlib
import random

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.redis_link.address import RedisAddress
from isshoni.backend.redis_link.connection import OnMessage, RedisConnection
from isshoni.backend.redis_link.meter import RedisMeter
from isshoni.backend.redis_link.settings import LinkSettings


class Reconnecting:
    """Keeps one `RedisConnection` open until it is closed; the base of both links."""

    _on_message: OnMessage | None = None

    def __init__(self, address: RedisAddress, settings: LinkSettings, meter: RedisMeter) -> None:
        self._address = address
        self._settings = settings
        self._meter = meter
        self._connection: RedisConnection | None = None
        self._connected = asyncio.Event()
        self._tried = asyncio.Event()
        self._failure = "start() was not called"
        self._failures = 0
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect; returns when the first attempt has succeeded or failed.

        A Redis that is away is no error here: it is tried again until `aclose`.
        """
        assert self._keeper is None, "started twice"
        self._keeper = asyncio.create_task(self._keep_connected())
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
        """Whether Redis was there when last heard of."""
        # The connection knows of its end a turn of the loop before its keeper does.
        connection = self._connection
        return connection is not None and connection.open and self._connected.is_set()

    async def wait_until_connected(self) -> None:
        """Wait for as long as it takes."""
        await self._connected.wait()

    def _require_connection(self) -> RedisConnection:
        if self._connection is None:
            self._meter.errors += 1
            raise StoreUnavailable(f"Redis at {self._address} is not connected: {self._failure}")
        return self._connection

    async def _prepare(self, connection: RedisConnection) -> None:
        """Bring a new connection into the state that the last one had."""

    def _announce(self) -> None:
        """Say that the connection is there and prepared."""

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._live_through_one_connection()
            except StoreUnavailable as fault:
                self._failure = str(fault)
                self._meter.errors += 1
            self._tried.set()
            await asyncio.sleep(self._calculate_backoff_seconds())
            self._failures += 1
            self._meter.reconnects += 1

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
            await connection.drop("the link was closed")

    async def _beat_until_lost(self, connection: RedisConnection) -> None:
        while not connection.closed.done():
            await asyncio.wait([connection.closed], timeout=self._settings.heartbeat_seconds)
            if connection.idle:
                with contextlib.suppress(StoreUnavailable):  # `closed` will say why
                    await connection.execute(b"PING")
                    # Only now: what is lost as soon as it is made must not be hammered.
                    self._failures = 0
        raise StoreUnavailable(connection.closed.result())

    async def _connect(self) -> RedisConnection:
        address, settings = self._address, self._settings
        connection = RedisConnection(address, settings, self._meter, self._on_message)
        try:
            async with asyncio.timeout(settings.connect_timeout_seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, address.host, address.port, ssl=address.tls
                )
                await self._shake_hands(connection)
        except BaseException as fault:
            await connection.drop("it could not be prepared")
            if isinstance(fault, TimeoutError):
                limit = f"{settings.connect_timeout_seconds:g} s"
                raise StoreUnavailable(f"no connection within {limit}") from None
            if isinstance(fault, OSError | UnicodeError):  # UnicodeError: IDNA refuses the host
                raise StoreUnavailable(str(fault)) from fault
            raise
        return connection

    async def _shake_hands(self, connection: RedisConnection) -> None:
        address = self._address
        if address.password is not None:
            user = () if address.username is None else (address.username,)
            await connection.execute(b"AUTH", *user, address.password)
        if address.database:
            await connection.execute(b"SELECT", address.database)
        # Answers LOADING for as long as Redis reads its data back in.
        await connection.execute(b"PING")
