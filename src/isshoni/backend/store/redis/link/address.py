"""The address of a Redis server, and how to log in."""

import ssl
from dataclasses import dataclass, field
from typing import Protocol, Self


@dataclass(frozen=True)
class RedisAddress:
    """The address of one server, and how to log in; `str()` of it shows no secret."""

    host: str
    port: int = 6379
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    async def locate(self) -> Self:
        """Return this address: it is fixed."""
        return self

    must_be_primary = False


class Locator(Protocol):
    """Finds the address to connect to, again for each connection."""

    must_be_primary: bool
    """True if a server that reports that it is a replica must be refused."""

    async def locate(self) -> RedisAddress:
        """Return the address; raises `StoreUnavailable`."""
