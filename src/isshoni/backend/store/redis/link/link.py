"""Commands to one Redis server over one multiplexed connection."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from isshoni.backend.store.redis.link.connection import Argument
from isshoni.backend.store.redis.link.reconnecting import Reconnecting


class RedisLink(Reconnecting):
    """The hot path: every command of the process to this server shares one connection."""

    def execute(self, *command: Argument) -> asyncio.Future[Any]:
        """Send a command; the future gives its answer.

        Call and future raise `StoreUnavailable`. After the call raised, nothing was
        sent. After the future raised an `ErrorReply`, Redis refused; after any other,
        the command may or may not have been carried out.
        """
        return self._require_connection().execute(*command)

    async def send(
        self,
        command: Sequence[Argument],
        *,
        asking: bool = False,
        wrote: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Send a command; return its answer, for a write once it is durable.

        `asking` sends ASKING first, for a slot that this server is importing. `wrote` tells
        from the answer whether the command wrote; one that only read waits for no replica.
        """
        connection = self._require_connection()
        if asking:
            # It counts for the very next command: nothing may come between the two.
            connection.execute(b"ASKING").add_done_callback(_retrieve)
        answer = await connection.execute(*command)
        if wrote is not None and wrote(answer):
            # On the same connection: on another one it would wait for nothing.
            await connection.confirm()
        return answer


def _retrieve(answer: asyncio.Future[Any]) -> None:
    # The command behind it fails for the same reason, and tells it.
    if not answer.cancelled():
        answer.exception()
