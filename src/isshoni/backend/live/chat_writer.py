"""Writes the chat messages of one connection to the log, in order, and acknowledges them."""

import asyncio
import time
from functools import partial
from typing import Any

from msgspec import UNSET

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.in_flight import MAX_IN_FLIGHT
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.security.auth import Permit
from isshoni.backend.store.ports import Appended, Behind, Duplicate, Gap
from isshoni.backend.store.redis.link import NotWriter
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Ack, Chat, ChatEnvelope, ErrorMessage, encode_envelope


class ChatWriter:
    """The chat messages of one client on one connection.

    Several can be in flight: they reach Redis in the order in which they were sent, and the
    log refuses a message that skips another. But a client unknown to the log may start at any
    n. So only one message of such a client is in flight, and after a failure no later one is
    sent: otherwise message 2 would count as its first, and message 1 as a resend.
    For a known client each write carries the last n acknowledged here, because the log may
    have forgotten the client since then.
    """

    __slots__ = (
        "_acknowledged",
        "_author",
        "_client_id",
        "_connection",
        "_failed_n",
        "_permit",
        "_session",
    )

    def __init__(
        self,
        connection: Connection,
        session: LiveSession,
        permit: Permit,
        client_id: str,
        last_n: int,
    ) -> None:
        self._connection = connection
        self._session = session
        self._permit = permit
        self._client_id = client_id
        self._author = permit.author_key(client_id)
        self._acknowledged = last_n
        self._failed_n: int | None = None

    async def write(self, chat: Chat) -> None:
        """Start to append a message; the client is answered once Redis has answered.

        Raises `ProtocolError` if an earlier message is missing.
        """
        connection = self._connection
        if connection.has_dropped:
            return
        is_known = self._acknowledged > 0
        await connection.in_flight.wait_until_below(MAX_IN_FLIGHT if is_known else 1)
        if not self._acknowledged and self._failed_n is not None and chat.n > self._failed_n:
            raise ProtocolError(
                "gap", "an earlier one is missing", n=chat.n, expected=self._failed_n
            )
        append = self._session.append_chat(
            self._author, chat.n, self._encode(chat), self._acknowledged
        )
        connection.in_flight.start(append, partial(self._answer, chat.n, time.monotonic()))

    def record_refused(self, n: int) -> None:
        """Remember that message `n` was refused: no later one may be written before it."""
        if self._failed_n is None or n < self._failed_n:
            self._failed_n = n

    def _encode(self, chat: Chat) -> bytes:
        permit = self._permit
        return encode_envelope(
            ChatEnvelope(
                self._client_id,
                chat.n,
                chat.text,
                at=time.time_ns() // 1_000_000,
                by=permit.subject or UNSET,
                name=permit.name or UNSET,
                about=chat.about or UNSET,
                files=chat.files or UNSET,
            )
        )

    def _answer(self, n: int, came: float, write: "asyncio.Task[Any]") -> None:
        connection = self._connection
        try:
            result = write.result()
        except NotWriter:
            connection.has_dropped = True
        except StoreUnavailable as fault:
            connection.counters.count_redis_error(fault)
            self._refuse(n, "Redis did not take it; send it again")
        except Exception as fault:
            connection.fail(fault)
        else:
            self._answer_result(n, result)
            connection.histograms.ack_seconds.add(time.monotonic() - came)

    def _refuse(self, n: int, why: str) -> None:
        self._failed_n = n
        self._connection.send_message(ErrorMessage("not_saved", why, n=n))

    def _answer_result(self, n: int, result: Appended | Duplicate | Gap | Behind) -> None:
        connection = self._connection
        if isinstance(result, Behind):
            self._refuse(n, "the log lost its end and is being restored; send it again")
            return
        if isinstance(result, Gap):
            message = f"{n} skips; send again from {result.expected}"
            connection.send_message(ErrorMessage("gap", message, n=n, expected=result.expected))
            return
        self._acknowledged = max(self._acknowledged, n)
        if isinstance(result, Appended):
            connection.counters.messages += 1
            connection.send_message(Ack(n, result.seq))
        else:
            connection.counters.duplicates += 1
            connection.send_message(Ack(n, None))
