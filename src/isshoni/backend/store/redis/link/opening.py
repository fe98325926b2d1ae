"""Open a connection to a Redis server."""

import asyncio

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.address import RedisAddress
from isshoni.backend.store.redis.link.connection import PushHandler, RedisConnection
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.settings import LinkSettings


async def open_connection(
    address: RedisAddress,
    settings: LinkSettings,
    meter: RedisMeter,
    push_handler: PushHandler | None = None,
) -> RedisConnection:
    """Connect, log in and select the database; raises `StoreUnavailable`."""
    connection = RedisConnection(address, settings, meter, push_handler)
    try:
        async with asyncio.timeout(settings.connect_timeout_seconds):
            await asyncio.get_running_loop().create_connection(
                lambda: connection, address.host, address.port, ssl=address.tls
            )
            await _shake_hands(connection, address)
    except BaseException as fault:
        await connection.drop("it could not be prepared")
        if isinstance(fault, TimeoutError):
            limit = f"{settings.connect_timeout_seconds:g} s"
            raise StoreUnavailable(f"no connection within {limit}") from None
        if isinstance(fault, OSError | UnicodeError):  # UnicodeError: IDNA refuses the host
            raise StoreUnavailable(str(fault)) from fault
        raise
    return connection


async def _shake_hands(connection: RedisConnection, address: RedisAddress) -> None:
    if address.password is not None:
        user = () if address.username is None else (address.username,)
        await connection.execute(b"AUTH", *user, address.password)
    if address.database:
        await connection.execute(b"SELECT", address.database)
    # Answers LOADING while Redis loads its data.
    await connection.execute(b"PING")
