"""The chat log of a fake store."""

import asyncio
from collections.abc import Sequence

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
    Published,
    Recorded,
)
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry
from tests.support.fake_store.port import FakePort
from tests.support.fake_store.server import FakeSession


class FakeChat(FakePort):
    """A `ChatStore` in memory."""

    waits = False
    """True while writes must wait, so that each is appended alone."""
    _last_append: asyncio.Task[None] | None

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
        await self._pause_to_write()
        session = self.server.sessions.get(session_id)
        if known and (
            session is None or session.lacks(session.chat, len(session.chat), known, known_digest)
        ):
            return Behind()
        last_n = session.clients.get(client_id) if session else None
        if last_n is None and acknowledged:
            last_n = acknowledged
        if last_n is not None and n <= last_n:
            return Duplicate(last_n)
        if last_n is not None and n > last_n + 1:
            return Gap(last_n + 1)
        session = self.server.open(session_id)
        seq = self._write(session_id, session, client_id, n, envelope)
        return Appended(seq, envelope)

    def start_append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        answer: Answer,
        *,
        known: Position | None = None,
        known_digest: str = "",
    ) -> bool:
        if self.waits:
            return False

        before = self._last_append

        async def append_all() -> None:
            if before is not None:
                await asyncio.wait((before,))
            results: list[AppendResult] = []
            try:
                for message in messages:
                    result = await self.append_chat(
                        session_id,
                        message.client_id,
                        message.n,
                        message.envelope,
                        acknowledged=message.acknowledged,
                        known=known,
                        known_digest=known_digest,
                    )
                    results.append(result)
            except Exception as fault:
                answer(fault)
            else:
                answer(results)

        self._last_append = asyncio.get_running_loop().create_task(append_all())
        return True

    def _write(
        self, session_id: str, session: FakeSession, client_id: str, n: int, envelope: bytes
    ) -> int:
        seq = len(session.chat) + 1
        session.chat.append(Entry(seq, envelope))
        session.clients[client_id] = max(n, session.clients.get(client_id, 0))
        self.server.publish(session_id, Published("chat", seq, envelope))
        return seq

    async def refill_chat(
        self, session_id: str, epoch: str, lost: list[LostEntry], *, behind: str | None = None
    ) -> int | None:
        await self._pause_to_write(when_full=True)
        session = self.server.sessions.get(session_id)
        if session is None or session.epoch != epoch:
            return None
        if behind is not None:
            last = session.chat[-1].digest if session.chat else ""
            if len(session.chat) + 1 != lost[0].seq or (behind and last != behind):
                return len(session.chat)
        for entry in lost:
            if entry.seq == len(session.chat) + 1:
                self._write(session_id, session, entry.client_id, entry.n, entry.envelope)
        return len(session.chat)

    async def merge_chat(
        self, session_id: str, at: Position, lost: list[LostEntry], *, begin_epoch: bool
    ) -> int | None:
        await self._pause_to_write(when_full=True)
        session = self.server.sessions.get(session_id)
        if session is None or (session.epoch, len(session.chat)) != (at.epoch, at.seq):
            return None
        if begin_epoch:
            session.epoch = self.server.make_epoch()
            self.server.tell_of_birth(session_id)
        for entry in lost:
            self._write(session_id, session, entry.client_id, entry.n, entry.envelope)
        return len(session.chat)

    async def mend_chat(self, session_id: str, epoch: str, beyond: Sequence[Recorded]) -> bool:
        await self._pause_to_write(when_full=True)
        return False  # the length of a list is never behind

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.chat[after : after + limit] if session else []

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.chat[-limit:] if session else []

    async def read_chat_before(self, session_id: str, *, before: int, limit: int) -> list[Entry]:
        await self._pause()
        session = self.server.sessions.get(session_id)
        return session.chat[: before - 1][-limit:] if session else []

    async def read_standing(self, session_id: str, client_id: str) -> ClientStanding:
        await self._pause()
        session = self.server.sessions.get(session_id)
        if session is None:
            return ClientStanding(0, 0)
        return ClientStanding(session.clients.get(client_id, 0), len(session.chat))
