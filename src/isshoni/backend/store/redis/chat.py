"""The chat log in Redis."""

from collections.abc import Sequence
from typing import Any

from isshoni.backend.store.ports import (
    Answer,
    Appended,
    AppendResult,
    Behind,
    ClientStanding,
    Duplicate,
    Entry,
    Gap,
    NewMessage,
    Recorded,
)
from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.link.connection import Argument
from isshoni.backend.store.redis.port import RedisPort, parse_entries
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry


class RedisChat(RedisPort):
    """A `ChatStore`: one stream, and a hash of the greatest n of each client."""

    _retention: tuple[int, int, int]
    """Milliseconds, and the least and the most messages, that a log keeps."""

    async def append_chat(
        self,
        session_id: str,
        client_id: str,
        n: int,
        envelope: bytes,
        *,
        known: Position | None = None,
        acknowledged: int = 0,
        known_digest: str = "",
    ) -> AppendResult:
        """Append unless (client_id, n) is stored or skips a number, or the log lacks `known`."""
        messages = (NewMessage(client_id, n, envelope, acknowledged),)
        arguments = self._list_arguments(messages, known, known_digest)
        reply = await self._run(scripts.APPEND_CHATS, session_id, *arguments)
        return _read_results(reply, messages)[0]

    def start_append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        answer: Answer,
        *,
        known: Position | None = None,
        known_digest: str = "",
    ) -> bool:
        """Append messages in one step, in order; False, with nothing sent, if they must wait."""

        def read(reply: Any) -> None:
            try:
                outcome = reply if isinstance(reply, Exception) else _read_results(reply, messages)
            except (TypeError, ValueError) as fault:  # no answer of this script
                outcome = fault
            answer(outcome)

        arguments = self._list_arguments(messages, known, known_digest)
        return self._start(scripts.APPEND_CHATS, session_id, read, *arguments)

    def _list_arguments(
        self, messages: Sequence[NewMessage], known: Position | None, known_digest: str
    ) -> list[Argument]:
        fields: list[Argument] = [*self._retention]
        fields += (known.epoch, known.seq, known_digest) if known else ("", 0, "")
        for each in messages:
            fields += (each.client_id, each.n, each.envelope, each.acknowledged)
        return fields

    async def refill_chat(
        self, session_id: str, epoch: str, lost: list[LostEntry], *, behind: str | None = None
    ) -> int | None:
        """Append lost entries, each at its own seq, as far as they continue the log."""
        fields: list[Argument] = [behind or "", int(behind is not None)]
        for entry in lost:
            fields += (entry.seq, entry.client_id, entry.n, entry.envelope)
        seq: int | None = await self._run(scripts.REFILL_CHAT, session_id, epoch, *fields)
        return seq

    async def merge_chat(
        self, session_id: str, at: Position, lost: list[LostEntry], *, begin_epoch: bool
    ) -> int | None:
        """Append lost entries at new seqs to a log that ends at `at`."""
        fields: list[Argument] = [at.seq, int(begin_epoch)]
        for entry in lost:
            fields += (entry.client_id, entry.n, entry.envelope)
        seq: int | None = await self._run(scripts.MERGE_CHAT, session_id, at.epoch, *fields)
        return seq

    async def mend_chat(self, session_id: str, epoch: str, beyond: Sequence[Recorded]) -> bool:
        """Set the log's counter, if it is behind, to the last of the entries after it."""
        fields: list[Argument] = []
        for entry in beyond:
            fields += (entry.seq, entry.digest, entry.client_id, entry.n)
        return bool(await self._run(scripts.MEND_CHAT, session_id, epoch, *fields))

    async def rewrite_chat(self, session_id: str, entries: list[Entry]) -> bool:
        """Replace the whole log by `entries` of the same seqs, unless it has grown since."""
        fields: list[Argument] = []
        for entry in entries:
            fields += (entry.seq, entry.payload)
        return bool(await self._run(scripts.REWRITE_CHAT, session_id, entries[-1].seq, *fields))

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        """Read up to `limit` entries with seq > `after`, oldest first."""
        keys = session_keys(session_id)
        return await self._read_log(keys.slot, keys.chat_log, after, limit)

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        """Read the last `limit` entries, oldest first."""
        return await self._read_back(session_id, b"+", limit)

    async def read_chat_before(self, session_id: str, *, before: int, limit: int) -> list[Entry]:
        """Read the last `limit` entries with seq < `before`, oldest first."""
        return await self._read_back(session_id, b"(%d-0" % before, limit)

    async def read_standing(self, session_id: str, client_id: str) -> ClientStanding:
        """Return a client's greatest n, and a seq that the log had reached by then."""
        keys = session_keys(session_id)
        # In this order, so that the seq is never the older one of the two.
        last_n, chat_seq = await self._nodes.execute_both(
            keys.slot,
            (b"HGET", keys.chat_clients, client_id),
            (b"HGET", keys.meta, b"chat_seq"),
        )
        return ClientStanding(int(last_n or 0), int(chat_seq or 0))

    async def _read_back(self, session_id: str, end: bytes, limit: int) -> list[Entry]:
        keys = session_keys(session_id)
        reply = await self._nodes.execute(
            keys.slot, b"XREVRANGE", keys.chat_log, end, b"-", b"COUNT", limit
        )
        return parse_entries(reply)[::-1]


def _read_results(reply: list[int], messages: Sequence[NewMessage]) -> list[AppendResult]:
    pairs = zip(reply[::2], reply[1::2], messages, strict=True)
    return [
        Appended(number, each.envelope)
        if verdict == scripts.APPENDED
        else _read_other_result(verdict, number)
        for verdict, number, each in pairs
    ]


def _read_other_result(verdict: int, number: int) -> AppendResult:
    if verdict == scripts.BEHIND:
        return Behind()
    return Duplicate(number) if verdict == scripts.DUPLICATE else Gap(number)
