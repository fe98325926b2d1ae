"""Run commands and scripts on the keys of one session; the base of every port in Redis."""

import secrets
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from isshoni.backend.errors import SessionDeleted
from isshoni.backend.store.ports import Entry, Head
from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.channels import SessionChannels
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.link import ErrorReply, RedisNodes, Script
from isshoni.backend.store.redis.link.connection import Argument
from isshoni.backend.store.redis.listeners import SessionListeners

_META = (b"epoch", b"chat_seq", b"canvas_seq", b"deleted_ms")
_EPOCH_BYTES = 8


def _draw_epochs() -> Iterator[str]:
    """Yield random epochs; one system call for 512 of them."""
    while True:
        drawn = secrets.token_bytes(512 * _EPOCH_BYTES)
        for at in range(0, len(drawn), _EPOCH_BYTES):
            yield drawn[at : at + _EPOCH_BYTES].hex()


_epochs = _draw_epochs()


class RedisPort:
    """The connections and subscriptions that the ports of one store share."""

    _nodes: RedisNodes
    _listeners: SessionListeners
    _channels: SessionChannels

    async def _open(
        self, session_id: str, epoch: str | None = None, present: list[bytes] | None = None
    ) -> Head:
        """Create the session if it does not exist; return where its logs end."""
        # Only a new session needs a write: a full Redis can still open existing ones.
        reply: list[Any] | None = present or await self._read_meta(session_id)
        if reply is None:
            reply = await self._run(scripts.OPEN_SESSION, session_id, epoch=epoch)
        return self._make_head(session_id, reply)

    def _make_head(self, session_id: str, reply: list[Any]) -> Head:
        head = Head(reply[0].decode(), int(reply[1]), int(reply[2]))
        self._listeners.set_epoch(session_id, head.epoch)
        return head

    async def _read_meta(self, session_id: str) -> list[bytes] | None:
        """Read epoch, chat_seq, canvas_seq; None when there is no such session."""
        keys = session_keys(session_id)
        read: list[Any] = await self._nodes.execute(keys.slot, b"HMGET", keys.meta, *_META)
        head = read[:-1]
        if head[0] is not None:
            return head
        if read[-1] is not None:
            self._listeners.deliver_deletion(session_id)
            raise SessionDeleted(session_id)
        return None

    def _run(
        self, script: Script, session_id: str, *arguments: Argument, epoch: str | None = None
    ) -> Coroutine[Any, Any, Any]:
        # Every call carries an epoch, for the case that the script must create the session.
        candidate = epoch or next(_epochs)
        return self._run_on(script, session_id, (), candidate, *arguments)

    def _start(
        self,
        script: Script,
        session_id: str,
        answer: Callable[[Any], None],
        *arguments: Argument,
    ) -> bool:
        """Send a script; `answer` is called with its reply or an exception.

        False, with nothing sent, if writes must wait.
        """

        def read(reply: Any) -> None:
            if isinstance(reply, ErrorReply) and reply.code == "DELETED":
                self._listeners.deliver_deletion(session_id)
                reply = SessionDeleted(session_id)
            answer(reply)

        keys, channel = session_keys(session_id), self._channels.name(session_id)
        rest = (channel, next(_epochs), *arguments)
        return self._nodes.start_script(keys.slot, script, keys.all, read, *rest)

    async def _run_with_files(self, script: Script, session_id: str, *arguments: Argument) -> Any:
        # Not among the keys of every script: most sessions have no file, and while a slot
        # moves, Redis refuses a command on a key that does not exist.
        files = (session_keys(session_id).files,)
        return await self._run_on(script, session_id, files, "", *arguments)

    async def _run_on(
        self, script: Script, session_id: str, more: tuple[bytes, ...], *arguments: Argument
    ) -> Any:
        keys, channel = session_keys(session_id), self._channels.name(session_id)
        try:
            return await self._nodes.run(keys.slot, script, (*keys.all, *more), channel, *arguments)
        except ErrorReply as refusal:
            if refusal.code != "DELETED":
                raise
            self._listeners.deliver_deletion(session_id)
            raise SessionDeleted(session_id) from None

    async def _read_log(self, slot: int, log: bytes, after: int, limit: int) -> list[Entry]:
        start = b"(%d-0" % after
        return parse_entries(
            await self._nodes.execute(slot, b"XRANGE", log, start, b"+", b"COUNT", limit)
        )


def parse_entries(reply: list[Any]) -> list[Entry]:
    """Parse the entries of a stream, as XRANGE returns them."""
    return [Entry(int(entry_id.split(b"-")[0]), fields[1]) for entry_id, fields in reply]
