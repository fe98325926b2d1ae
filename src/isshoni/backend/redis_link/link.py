"""Commands to Redis over one multiplexed connection."""

import asyncio
from collections.abc import Sequence
from typing import Any

from isshoni.backend.redis_link.connection import Argument
from isshoni.backend.redis_link.errors import ErrorReply
from isshoni.backend.redis_link.reconnecting import Reconnecting
from isshoni.backend.redis_link.script import Script


class RedisLink(Reconnecting):
    """The hot path: every command of the process shares one connection."""

    def execute(self, *command: Argument) -> asyncio.Future[Any]:
        """Send a command; the future gives its answer.

        Call and future raise `StoreUnavailable`. After the call raised, nothing was
        sent. After the future raised an `ErrorReply`, Redis refused; after any other,
        the command may or may not have been carried out.
        """
        return self._require_connection().execute(*command)

    async def run(self, script: Script, keys: Sequence[bytes], *arguments: Argument) -> Any:
        """Run a Lua script by its digest, and send its source once if Redis lacks it."""
        try:
            return await self.execute(b"EVALSHA", script.sha, len(keys), *keys, *arguments)
        except ErrorReply as refusal:
            if refusal.code != "NOSCRIPT":
                raise
        # Nothing has run: sending it again cannot do anything twice.
        return await self.execute(b"EVAL", script.source, len(keys), *keys, *arguments)
