"""Session state in Redis: the keys of redis_keys.py, changed by the scripts of lua/."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from isshoni.backend import redis_scripts as scripts
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.ports import (
    Appended,
    Behind,
    CanvasLog,
    Duplicate,
    Entry,
    Gap,
    Head,
    Listener,
    Published,
)
from isshoni.backend.publication import encode_awareness, parse_publication
from isshoni.backend.redis_keys import SESSION_PATTERN, note_key, parse_session_id, session_keys
from isshoni.backend.redis_lag import LagBeacon
from isshoni.backend.redis_link import (
    LinkSettings,
    RedisLink,
    RedisMeter,
    RedisSubscription,
    Script,
    parse_redis_url,
)
from isshoni.backend.redis_link.connection import Argument
from isshoni.session.messages import Position
from isshoni.session.recovery import LostEntry

logger = logging.getLogger(__name__)

_CANVAS_PAGE = 500
_SCAN_PAGE = 200
_MAX_SCAN_ROUNDS = 50
_PROBE_TTL_MS = 10_000


@dataclass(frozen=True)
class StoreSettings:
    """How much a session keeps, and how Redis is talked to."""

    link: LinkSettings = field(default_factory=LinkSettings)
    chat_retention: int = 10_000
    """About how many messages a chat log keeps; never fewer."""
    lag_interval_seconds: float = 1.0
    reread_delay_seconds: float = 0.1
    """How long births of new logs are gathered before everybody is told to re-read."""


@dataclass
class _Subscribed:
    listener: Listener
    epoch: str | None = None
    """The one that this process was last told; None: it did not ask yet."""


class RedisStore:
    """A `SessionStore` over two connections: one for commands, one for pub/sub.

    A write that raises `StoreUnavailable` may have happened, unless Redis itself
    refused it. Send it again: (client_id, n) tells, and a Yjs update may come twice.

    When Redis has lost a session, whoever touches it first brings it into being
    again under a new epoch; every subscriber hears of that and is told to re-read.
    """

    def __init__(self, url: str, settings: StoreSettings | None = None) -> None:
        self._settings = settings or StoreSettings()
        address = parse_redis_url(url)
        self.meter = RedisMeter()
        self._link = RedisLink(address, self._settings.link, self.meter)
        self._subscription = RedisSubscription(
            address, self._settings.link, self.meter, self._on_whole
        )
        self._beacon = LagBeacon(
            self._link, self._subscription, self._settings.lag_interval_seconds
        )
        self._subscribed: dict[str, _Subscribed] = {}
        self._reborn: set[str] = set()
        self._callbacks: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; a Redis that is away is tried again and again, and is no error here."""
        await asyncio.gather(self._link.start(), self._subscription.start())
        self._spawn(self._beacon.run())

    async def aclose(self) -> None:
        """Close the connections."""
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(self._link.aclose(), self._subscription.aclose())

    @property
    def connected(self) -> bool:
        """Whether both connections are there."""
        return self._link.connected and self._subscription.connected

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
        reply = await self._run(scripts.OPEN_SESSION, session_id, epoch=epoch)
        head = Head(reply[0].decode(), int(reply[1]), int(reply[2]))
        if subscribed := self._subscribed.get(session_id):
            subscribed.epoch = head.epoch
            self._reborn.discard(session_id)
        return head

    async def append_chat(
        self,
        session_id: str,
        client_id: str,
        n: int,
        envelope: bytes,
        *,
        known: Position | None = None,
    ) -> Appended | Duplicate | Gap | Behind:
        """Append unless (client_id, n) is there already or skips one, or the log lacks `known`."""
        retention = self._settings.chat_retention
        expected = (known.epoch, known.seq) if known else ("", 0)
        verdict, number = await self._run(
            scripts.APPEND_CHAT, session_id, client_id, n, envelope, retention, *expected
        )
        if verdict == b"appended":
            return Appended(number)
        if verdict == b"behind":
            return Behind()
        return Duplicate(number) if verdict == b"duplicate" else Gap(number)

    async def refill_chat(self, session_id: str, epoch: str, lost: list[LostEntry]) -> int | None:
        """Put lost entries back, each at its own seq, as far as they continue the log."""
        fields: list[Argument] = []
        for entry in lost:
            fields += (entry.seq, entry.client_id, entry.n, entry.envelope)
        seq: int | None = await self._run(scripts.REFILL_CHAT, session_id, epoch, *fields)
        return seq

    async def begin_epoch(self, session_id: str, epoch: str) -> bool:
        """Begin a new epoch of a log that is of `epoch`; False when it no longer is."""
        return bool(await self._run(scripts.BEGIN_EPOCH, session_id, epoch))

    async def append_canvas(self, session_id: str, update: bytes, *, known: int = 0) -> int:
        """Append a Yjs update; gives its seq, which is greater than `known`."""
        seq: int = await self._run(scripts.APPEND_CANVAS, session_id, update, known)
        return seq

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        """Tell every subscriber; kept nowhere."""
        channel = session_keys(session_id).channel
        await self._link.execute(b"SPUBLISH", channel, encode_awareness(payload))

    async def read_chat(self, session_id: str, *, after: int, limit: int) -> list[Entry]:
        """Read up to `limit` entries with seq > `after`, oldest first."""
        return await self._read_log(session_keys(session_id).chat_log, after, limit)

    async def read_recent_chat(self, session_id: str, *, limit: int) -> list[Entry]:
        """Read the last `limit` entries, oldest first."""
        log = session_keys(session_id).chat_log
        reply = await self._link.execute(b"XREVRANGE", log, b"+", b"-", b"COUNT", limit)
        return _parse_entries(reply)[::-1]

    async def read_canvas(self, session_id: str, *, after: int) -> list[Entry]:
        """Read the canvas updates with seq > `after` that are not yet compacted."""
        log = session_keys(session_id).canvas_log
        updates: list[Entry] = []
        while page := await self._read_log(log, after, _CANVAS_PAGE):
            updates += page
            after = page[-1].seq
            if len(page) < _CANVAS_PAGE:
                break
        return updates

    async def load_canvas(self, session_id: str) -> CanvasLog:
        """Read the whole canvas document."""
        updates = await self.read_canvas(session_id, after=0)
        # The log first: what a compaction takes out of it meanwhile is in its snapshot.
        key = session_keys(session_id).canvas_snapshot
        upto_text, snapshot = await self._link.execute(b"HMGET", key, b"upto", b"state")
        upto = int(upto_text or 0)
        rest = [update for update in updates if update.seq > upto]
        return CanvasLog(snapshot, rest, rest[-1].seq if rest else upto)

    async def compact_canvas(self, session_id: str, snapshot: bytes, *, upto: int) -> bool:
        """Replace all updates up to `upto` by `snapshot`, unless another did as much.

        Refused too when the log is no longer the one that this process opened.
        """
        subscribed = self._subscribed.get(session_id)
        epoch = subscribed.epoch if subscribed else None
        if epoch is None:
            epoch = (await self.open_session(session_id)).epoch
        done = await self._run(scripts.COMPACT_CANVAS, session_id, epoch, upto, snapshot)
        return bool(done)

    async def last_n(self, session_id: str, client_id: str) -> int:
        """Give the greatest n of a client in the chat log; 0 when it is unknown."""
        clients = session_keys(session_id).chat_clients
        return int(await self._link.execute(b"HGET", clients, client_id) or 0)

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        """Hear what is published from now on: when it returns, nothing later is missed."""
        subscribed = _Subscribed(listener)
        self._subscribed[session_id] = subscribed
        try:
            await self._subscription.subscribe(
                session_keys(session_id).channel,
                lambda message: self._hear(session_id, subscribed, message),
            )
        except BaseException:
            if self._subscribed.get(session_id) is subscribed:
                del self._subscribed[session_id]
            raise

    async def unsubscribe(self, session_id: str) -> None:
        """Hear no more of a session."""
        self._subscribed.pop(session_id, None)
        self._reborn.discard(session_id)
        await self._subscription.unsubscribe(session_keys(session_id).channel)

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Call back after subscriptions were lost and are whole again: re-read, there are holes.

        Also after Redis was found to have lost a session that this process has open.
        """
        self._callbacks.append(callback)

    async def probe(self) -> float:
        """Write and read a probe key; gives the seconds that it took."""
        token = secrets.token_hex(8).encode()
        key = b"probe:" + token
        began = monotonic()
        await self._link.execute(b"SET", key, token, b"PX", _PROBE_TTL_MS)
        if await self._link.execute(b"GET", key) != token:
            raise StoreUnavailable("Redis took a probe key and did not give it back")
        return monotonic() - began

    async def sample_sessions(self, limit: int) -> list[str]:
        """Find up to `limit` session ids by SCAN, in a bounded number of steps."""
        found: dict[str, None] = {}
        cursor = b"0"
        for _ in range(_MAX_SCAN_ROUNDS):
            cursor, keys = await self._link.execute(
                b"SCAN", cursor, b"MATCH", SESSION_PATTERN, b"COUNT", _SCAN_PAGE
            )
            found |= {name: None for key in keys if (name := parse_session_id(key))}
            if cursor == b"0" or len(found) >= limit:
                break
        return list(found)[:limit]

    async def read_note(self, name: str) -> bytes | None:
        """Read a note of the whole deployment; None when there is none."""
        note: bytes | None = await self._link.execute(b"GET", note_key(name))
        return note

    async def keep_note(self, name: str, value: bytes, *, replace: bool = False) -> bytes:
        """Write a note unless there is one, or replace it; gives the one that is there."""
        if replace:
            await self._link.execute(b"SET", note_key(name), value)
            return value
        present = await self._link.execute(b"SET", note_key(name), value, b"NX", b"GET")
        return value if present is None else bytes(present)

    async def _run(
        self, script: Script, session_id: str, *arguments: Argument, epoch: str | None = None
    ) -> Any:
        keys = session_keys(session_id)
        # Every call brings an epoch along, for the case that it must create the session.
        candidate = epoch or secrets.token_hex(8)
        return await self._link.run(script, keys.all, keys.channel, candidate, *arguments)

    async def _read_log(self, log: bytes, after: int, limit: int) -> list[Entry]:
        start = b"(%d-0" % after
        return _parse_entries(
            await self._link.execute(b"XRANGE", log, start, b"+", b"COUNT", limit)
        )

    def _hear(self, session_id: str, subscribed: _Subscribed, message: bytes) -> None:
        publication = parse_publication(message)
        if isinstance(publication, Published):
            subscribed.listener(publication)
        elif publication is None:
            self.meter.poison += 1
            logger.warning("dropped a publication that makes no sense: %.40r", message)
        elif subscribed.epoch is not None and publication != subscribed.epoch:
            self._note_rebirth(session_id)

    def _note_rebirth(self, session_id: str) -> None:
        if not self._reborn:
            delay = self._settings.reread_delay_seconds
            asyncio.get_running_loop().call_later(delay, self._tell_of_rebirths)
        self._reborn.add(session_id)

    def _tell_of_rebirths(self) -> None:
        # Whoever opened the session meanwhile knows its new epoch already.
        if self._reborn:
            self._reborn.clear()
            self._tell_to_reread()

    def _on_whole(self) -> None:
        self._spawn(self._tell_once_link_is_up())

    async def _tell_once_link_is_up(self) -> None:
        await self._link.wait_until_connected()
        self._tell_to_reread()

    def _tell_to_reread(self) -> None:
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                logger.exception("a callback failed after a reconnect")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _parse_entries(reply: list[Any]) -> list[Entry]:
    return [Entry(int(entry_id.split(b"-")[0]), fields[1]) for entry_id, fields in reply]
