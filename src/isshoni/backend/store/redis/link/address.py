"""One Redis server: where it is and how to get in."""

import ssl
from dataclasses import dataclass, field
from typing import Protocol, Self


@dataclass(frozen=True)
class RedisAddress:
    """Where one server is and how to get in; `str()` of it shows no secret."""

    host: str
    port: int = 6379
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    async def locate(self) -> Self:
        """Give itself: it is where it is."""
        return self

    must_be_primary = False


class Locator(Protocol):
    """Something that knows where to connect to; asked anew for each connection."""

    must_be_primary: bool
    """Whether a server found there is to be refused when it says that it is a replica."""

    async def locate(self) -> RedisAddress:
        """Give the address; raises `StoreUnavailable`."""
