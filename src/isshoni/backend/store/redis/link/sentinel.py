"""Find the primary by asking the sentinels."""

from collections.abc import Sequence
from dataclasses import replace

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.address import RedisAddress
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.opening import open_connection
from isshoni.backend.store.redis.link.settings import LinkSettings


class SentinelLocator:
    """Asks one sentinel after another, again for each connection.

    Their answer may be out of date: the server found must report that it is a primary
    (https://redis.io/docs/latest/develop/reference/sentinel-clients).
    """

    must_be_primary = True

    def __init__(
        self,
        sentinels: Sequence[RedisAddress],
        primary_name: str,
        primary: RedisAddress,
        settings: LinkSettings,
    ) -> None:
        self._sentinels = list(sentinels)
        self._name = primary_name
        self._primary = primary
        share = settings.connect_timeout_seconds / (len(self._sentinels) + 1)
        self._settings = replace(
            settings, connect_timeout_seconds=share, command_timeout_seconds=share
        )

    def __str__(self) -> str:
        return f"the primary {self._name}"

    async def locate(self) -> RedisAddress:
        """Return the primary's address; raises `StoreUnavailable` if no sentinel knows it."""
        faults = []
        for sentinel in list(self._sentinels):
            try:
                address = await self._ask(sentinel)
            except StoreUnavailable as fault:
                faults.append(f"{sentinel.host}:{sentinel.port}: {fault}")
                continue
            # The one that answered is asked first the next time.
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            return address
        raise StoreUnavailable(f"no sentinel knows {self._name} ({'; '.join(faults)})")

    async def _ask(self, sentinel: RedisAddress) -> RedisAddress:
        # A meter of its own: a sentinel that cannot be reached is no fault of Redis.
        connection = await open_connection(sentinel, self._settings, RedisMeter())
        try:
            answer = await connection.execute(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._name)
        finally:
            await connection.drop("it has answered")
        if answer is None:
            raise StoreUnavailable("it watches no such primary")
        host, port = answer
        return replace(self._primary, host=host.decode(), port=int(port))
