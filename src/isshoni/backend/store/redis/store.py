"""Session state in Redis: the keys of redis_keys.py, changed by the scripts of lua/."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from isshoni.backend.errors import SessionDeleted, StoreUnavailable
from isshoni.backend.store.ports import (
    Appended,
    Behind,
    CanvasLog,
    Duplicate,
    Entry,
    FileKept,
    Gap,
    Head,
    Listener,
)
from isshoni.backend.store.publication import encode_awareness
from isshoni.backend.store.redis import scripts, survey
from isshoni.backend.store.redis.channels import SessionChannels
from isshoni.backend.store.redis.keys import note_key, session_keys
from isshoni.backend.store.redis.lag import LagBeacon
from isshoni.backend.store.redis.link import (
    ClusterWatch,
    ErrorReply,
    RedisMeter,
    RedisNodes,
    Script,
    parse_redis_url,
)
from isshoni.backend.store.redis.link.connection import Argument
from isshoni.backend.store.redis.link.slots import slot_of_tag
from isshoni.backend.store.redis.listeners import Listeners
from isshoni.backend.store.redis.store_settings import StoreSettings
from isshoni.backend.tasks import start_lasting
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry

_CANVAS_PAGE = 500
_META = (b"epoch", b"chat_seq", b"canvas_seq", b"deleted_ms")
_DELETED_DAYS = 30
"""How long a deleted session stays deleted: browsers keep what was written offline for weeks."""


class RedisStore:
    """A `SessionStore` over one server or many; docs/redis.md says which Redis it needs.

    A write that raises `StoreUnavailable` may have happened, unless Redis itself
    refused it. It can be repeated: (client_id, n) identifies a message, and a Yjs update may
    be applied twice. Reading needs neither free memory nor a replica that answers; deleting
    and compacting need no free memory.
    When Redis has lost a session, the first operation on it creates it again under a new
    epoch, and every subscriber is told to re-read.
    """

    def __init__(self, url: str, settings: StoreSettings | None = None) -> None:
        settings = self._settings = settings or StoreSettings()
        self.meter = RedisMeter()
        self._listeners = Listeners(self.meter, settings.reread_delay_seconds)
        self._nodes = RedisNodes(
            parse_redis_url(url), settings.link, self.meter, self._listeners.tell_to_reread
        )
        self._rehearsals = survey.Rehearsals(self._nodes)
        self._channels = SessionChannels(self._nodes, self._listeners)
        self._beacon = LagBeacon(self._nodes, settings.lag_interval_seconds)
        self._retention = (
            round(settings.offline_window_seconds * 1000),
            settings.chat_retention,
            settings.chat_ceiling,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect; a Redis that is away is tried again and again, and is no error here."""
        await self._nodes.start()
        if self._nodes.deployment.kind == "cluster":
            watch = ClusterWatch(self._nodes)
            with contextlib.suppress(StoreUnavailable):  # it goes on trying
                await watch.refresh()
            self._tasks.append(start_lasting("watch the cluster", watch.run))
        self._tasks.append(start_lasting("measure pub/sub lag", self._beacon.run))

    async def aclose(self) -> None:
        """Close the connections."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._nodes.aclose()

    @property
    def connected(self) -> bool:
        """Whether every connection is there."""
        return self._nodes.connected

    @property
    def latency_ms(self) -> float:
        """The worst latency of a command in the last seconds."""
        return self.meter.latency.worst * 1000

    @property
    def pubsub_lag_ms(self) -> float:
        """The worst time in the last seconds from publishing to hearing it."""
        return self._beacon.worst_seconds * 1000

    async def open_session(self, session_id: str, *, epoch: str | None = None) -> Head:
        """Create the session if need be, and say where its logs end."""
        # Only a new session needs a write: a full Redis can still open existing ones.
        reply = await self._read_meta(session_id)
        if reply is None:
            reply = await self._run(scripts.OPEN_SESSION, session_id, epoch=epoch)
        head = Head(reply[0].decode(), int(reply[1]), int(reply[2]))
        self._listeners.note_epoch(session_id, head.epoch)
        return head

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
    ) -> Appended | Duplicate | Gap | Behind:
        """Append unless (client_id, n) is there already or skips one, or the log lacks `known`."""
        expected = (known.epoch, known.seq, known_digest) if known else ("", 0, "")
        verdict, number = await self._run(
            scripts.APPEND_CHAT,
            session_id,
            client_id,
            n,
            envelope,
            *self._retention,
            *expected,
            acknowledged,
        )
        if verdict == b"appended":
            return Appended(number, envelope)
        if verdict == b"behind":
            return Behind()
        return Duplicate(number) if verdict == b"duplicate" else Gap(number)

    async def refill_chat(
        self, session_id: str, epoch: str, lost: list[LostEntry], *, behind: str | None = None
    ) -> int | None:
        """Put lost entries back, each at its own seq, as far as they continue the log."""
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

    async def rewrite_chat(self, session_id: str, entries: list[Entry]) -> bool:
        """Replace the whole log by `entries` of the same seqs, unless it has grown since."""
        fields: list[Argument] = []
        for entry in entries:
            fields += (entry.seq, entry.payload)
        return bool(await self._run(scripts.REWRITE_CHAT, session_id, entries[-1].seq, *fields))

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        """Append a Yjs update unless the log lacks `known`; gives its seq, beyond `beyond`."""
        expected = (known.epoch, known.seq, known_digest) if known else ("", 0, "")
        seq: int = await self._run(scripts.APPEND_CANVAS, session_id, update, beyond, *expected)
        return seq or Behind()

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        """Tell every subscriber; kept nowhere."""
        slot, channel = session_keys(session_id).slot, self._channels.name(session_id)
        await self._nodes.execute(slot, b"SPUBLISH", channel, encode_awareness(payload))

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

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        """Read the canvas updates with seq > `after` that are not yet compacted."""
        keys = session_keys(session_id)
        updates: list[Entry] = []
        while page := await self._read_log(keys.slot, keys.canvas_log, after, _CANVAS_PAGE):
            updates += page
            after = page[-1].seq
            if len(page) < _CANVAS_PAGE:
                break
        return updates

    async def load_canvas(self, session_id: str) -> CanvasLog:
        """Read the whole canvas document."""
        updates = await self.read_canvas(session_id, after=0)
        # The log first: what a compaction takes out of it meanwhile is in its snapshot.
        keys = session_keys(session_id)
        upto_text, snapshot = await self._nodes.execute(
            keys.slot, b"HMGET", keys.canvas_snapshot, b"upto", b"state"
        )
        upto = int(upto_text or 0)
        rest = [update for update in updates if update.seq > upto]
        return CanvasLog(snapshot, rest, rest[-1].seq if rest else upto)

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        """Replace all updates up to `upto` by `snapshot`, unless another did as much.

        Refused too when the log is no longer the one that this process opened.
        """
        epoch = self._listeners.epoch(session_id)
        if epoch is None:
            epoch = (await self.open_session(session_id)).epoch
        done = await self._run(scripts.COMPACT_CANVAS, session_id, epoch, upto, snapshot, digest)
        return bool(done)

    async def has_session(self, session_id: str) -> bool:
        """Say whether the session is there; raises `SessionDeleted`."""
        return await self._read_meta(session_id) is not None

    async def _read_meta(self, session_id: str) -> list[bytes] | None:
        """Read epoch, chat_seq, canvas_seq; None when there is no such session."""
        keys = session_keys(session_id)
        read: list[Any] = await self._nodes.execute(keys.slot, b"HMGET", keys.meta, *_META)
        head = read[:-1]
        if head[0] is not None:
            return head
        if read[-1] is not None:
            self._listeners.tell_of_deletion(session_id)
            raise SessionDeleted(session_id)
        return None

    async def delete_session(self, session_id: str) -> bool:
        """Delete all of a session, files too, in one step; False when nothing was there."""
        mark_ms = _DELETED_DAYS * 86_400_000
        return bool(await self._run_with_files(scripts.DELETE_SESSION, session_id, mark_ms))

    async def keep_file(
        self, session_id: str, file_id: str, content: bytes, *, room_bytes: int
    ) -> FileKept:
        """Keep a file with the session, if all its files then fit in `room_bytes`."""
        outcome: bytes = await self._run_with_files(
            scripts.KEEP_FILE, session_id, file_id, content, room_bytes
        )
        return cast(FileKept, outcome.decode())

    async def read_file(self, session_id: str, file_id: str) -> bytes | None:
        """Read a file; None when the session has no such file."""
        keys = session_keys(session_id)
        content: bytes | None = await self._nodes.execute(keys.slot, b"HGET", keys.files, file_id)
        return content

    async def list_files(self, session_id: str) -> list[str]:
        """List the ids of a session's files."""
        keys = session_keys(session_id)
        ids = await self._nodes.execute(keys.slot, b"HKEYS", keys.files)
        return [file_id.decode() for file_id in ids if file_id]

    async def rewrite_file(self, session_id: str, file_id: str, content: bytes) -> bool:
        """Replace the bytes of a file, unless it is gone."""
        return bool(await self._run_with_files(scripts.REWRITE_FILE, session_id, file_id, content))

    async def last_n(self, session_id: str, client_id: str) -> int:
        """Give the greatest n of a client in the chat log; 0 when it is unknown."""
        keys = session_keys(session_id)
        return int(await self._nodes.execute(keys.slot, b"HGET", keys.chat_clients, client_id) or 0)

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Hear what is published from now on: when it returns, nothing later is missed."""
        await self._channels.subscribe(session_id, listener)

    async def unsubscribe(self, session_id: str) -> None:
        """Hear no more of a session."""
        await self._channels.unsubscribe(session_id)

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Call back after subscriptions were lost and are whole again: re-read, there are holes.

        Also after Redis was found to have lost a session that this process has open.
        """
        self._listeners.on_reread(callback)

    async def probe(self) -> float:
        """Write and read a key on every primary; gives the seconds that the slowest took."""
        return await survey.probe_nodes(self._nodes)

    async def read_info(self) -> list[dict[str, str] | None]:
        """Return the INFO text of each primary; None for a primary that refuses INFO."""
        return await survey.read_info(self._nodes)

    def rehearsal_sessions(self) -> list[str]:
        """Return one reserved session id on each primary; no client can use such an id."""
        return self._rehearsals.list_ids()

    async def lend_session(self, session_id: str, *, seconds: float) -> Head:
        """Open a session that expires by itself if `erase_session` is never called."""
        head = await self.open_session(session_id)
        await self._rehearsals.limit_life(session_id, seconds)
        return head

    async def erase_session(self, session_id: str) -> None:
        """Delete every key of a session; unlike a deleted session it can be opened again."""
        await self._rehearsals.erase(session_id)

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN, in a bounded number of steps."""
        return await survey.sample_sessions(self._nodes, limit)

    def list_sessions(self) -> AsyncIterator[str]:
        """Find every session id by SCAN."""
        return survey.list_sessions(self._nodes)

    async def read_note(self, name: str) -> bytes | None:
        """Read a note of the whole deployment; None when there is none."""
        key = note_key(name)
        note: bytes | None = await self._nodes.execute(slot_of_tag(key), b"GET", key)
        return note

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        """Write a note unless there is one, or replace it; gives the one that is there."""
        key = note_key(name)
        slot = slot_of_tag(key)
        if replace:
            await self._nodes.execute(slot, b"SET", key, value)
            return value
        present = await self._nodes.execute(slot, b"SET", key, value, b"NX", b"GET")
        return value if present is None else bytes(present)

    async def lend_note(self, name: str, value: bytes, *, seconds: float) -> None:
        """Write a note that is gone after a time, or write it anew."""
        key = note_key(name)
        await self._nodes.execute(
            slot_of_tag(key), b"SET", key, value, b"PX", round(seconds * 1000)
        )

    async def _run(
        self, script: Script, session_id: str, *arguments: Argument, epoch: str | None = None
    ) -> Any:
        # Every call brings an epoch along, for the case that it must create the session.
        candidate = epoch or secrets.token_hex(8)
        return await self._run_on(script, session_id, (), candidate, *arguments)

    async def _run_with_files(self, script: Script, session_id: str, *arguments: Argument) -> Any:
        # Not among the keys of every script: most sessions have no file, and while a slot
        # moves, a key that does not exist makes Redis refuse.
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
            self._listeners.tell_of_deletion(session_id)
            raise SessionDeleted(session_id) from None

    async def _read_log(self, slot: int, log: bytes, after: int, limit: int) -> list[Entry]:
        start = b"(%d-0" % after
        return _parse_entries(
            await self._nodes.execute(slot, b"XRANGE", log, start, b"+", b"COUNT", limit)
        )

    async def _read_back(self, session_id: str, end: bytes, limit: int) -> list[Entry]:
        keys = session_keys(session_id)
        reply = await self._nodes.execute(
            keys.slot, b"XREVRANGE", keys.chat_log, end, b"-", b"COUNT", limit
        )
        return _parse_entries(reply)[::-1]


def _parse_entries(reply: list[Any]) -> list[Entry]:
    return [Entry(int(entry_id.split(b"-")[0]), fields[1]) for entry_id, fields in reply]
