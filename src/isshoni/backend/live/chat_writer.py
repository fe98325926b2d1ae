"""Writes the chat messages of one connection to the log, in order, and acknowledges them."""

import time

from msgspec import UNSET

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.chat_appends import ChatAppend
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.in_flight import MAX_IN_FLIGHT
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.security.auth import Permit
from isshoni.backend.store.ports import Appended, Behind, Gap
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

    @property
    def has_room(self) -> bool:
        """True if a message can be written now; otherwise answers must come first."""
        in_flight = self._connection.in_flight
        return in_flight.is_empty or in_flight.count < self._most_in_flight

    @property
    def _most_in_flight(self) -> int:
        return MAX_IN_FLIGHT if self._acknowledged > 0 else 1

    async def wait_for_room(self) -> None:
        """Wait until a message can be written."""
        await self._connection.in_flight.wait_until_below(self._most_in_flight)

    def write(self, chat: Chat) -> None:
        """Append a message, once there is room; its client is answered after Redis has answered.

        Raises `ProtocolError` if an earlier message is missing.
        """
        connection, n = self._connection, chat.n
        if connection.has_dropped:
            return
        if not self._acknowledged and self._failed_n is not None and n > self._failed_n:
            raise ProtocolError("gap", "an earlier one is missing", n=n, expected=self._failed_n)
        append = ChatAppend(
            self._author,
            n,
            self._encode(chat),
            self._acknowledged,
            time.monotonic(),
            connection.in_flight,
        )
        connection.in_flight.add(append, self._answer)
        self._session.chat_appends.add(append)

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

    def _answer(self, append: ChatAppend) -> None:
        connection, n, outcome = self._connection, append.n, append.outcome
        if isinstance(outcome, Appended):
            connection.counters.messages += 1
            self._acknowledge(n, outcome.seq)
        elif isinstance(outcome, Exception):
            self._answer_fault(n, outcome)
            return
        elif isinstance(outcome, Behind):
            self._refuse(n, "the log lost its end and is being restored; send it again")
        elif isinstance(outcome, Gap):
            message = f"{n} skips; send again from {outcome.expected}"
            connection.send_message(ErrorMessage("gap", message, n=n, expected=outcome.expected))
        else:
            connection.counters.duplicates += 1
            self._acknowledge(n, None)
        connection.histograms.ack_seconds.add(time.monotonic() - append.came)

    def _acknowledge(self, n: int, seq: int | None) -> None:
        if n > self._acknowledged:
            self._acknowledged = n
        self._connection.send_message(Ack(n, seq))

    def _answer_fault(self, n: int, fault: Exception) -> None:
        connection = self._connection
        if isinstance(fault, NotWriter):
            connection.has_dropped = True
        elif isinstance(fault, StoreUnavailable):
            connection.counters.count_redis_error(fault)
            self._refuse(n, "Redis did not take it; send it again")
        else:
            connection.fail(fault)

    def _refuse(self, n: int, why: str) -> None:
        self._failed_n = n
        self._connection.send_message(ErrorMessage("not_saved", why, n=n))
