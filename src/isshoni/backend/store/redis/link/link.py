"""Commands to one Redis server over one multiplexed connection."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from isshoni.backend.store.redis.link.connection import Argument
from isshoni.backend.store.redis.link.reconnecting import Reconnecting


class RedisLink(Reconnecting):
    """The hot path: every command of the process to this server shares one connection."""

    @property
    def shortage(self) -> str | None:
        """On how many replicas writes are while they are acknowledged with too few, or None."""
        return self._connection.shortage if self._connection is not None else None

    def execute(self, *command: Argument) -> asyncio.Future[Any]:
        """Send a command; the future returns its answer.

        Call and future raise `StoreUnavailable`. After the call raised, nothing was
        sent. After the future raised an `ErrorReply`, Redis refused; after any other,
        the command may or may not have been carried out.
        """
        return self._require_connection().execute(*command)

    def execute_then(self, command: Sequence[Argument], answer: Callable[[Any], None]) -> None:
        """Send a command, and call `answer` with its answer or an exception as soon as it is there.

        Raises `StoreUnavailable`; then nothing was sent, and `answer` is not called.
        """
        self._require_connection().execute_then(command, answer)

    async def send(
        self,
        command: Sequence[Argument],
        *,
        asking: bool = False,
        wrote: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Send a command; return its answer, for a write once it is durable.

        `asking` sends ASKING first, for a slot that this server is importing. `wrote` returns True
        for an answer that means a write; a command that only read waits for no replica.
        """
        connection = self._require_connection()
        if asking:
            # It applies to the next command only: nothing may be sent between the two.
            connection.execute(b"ASKING").add_done_callback(_retrieve)
        answer = await connection.execute(*command)
        if wrote is not None and wrote(answer):
            # On the same connection: Redis waits only for the writes of the connection that asks.
            await connection.confirm()
        return answer


def _retrieve(answer: asyncio.Future[Any]) -> None:
    # The command after it fails for the same reason, and its caller handles that.
    if not answer.cancelled():
        answer.exception()
