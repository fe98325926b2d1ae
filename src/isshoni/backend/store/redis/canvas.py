"""The canvas log in Redis."""

from isshoni.backend.store.ports import Behind, CanvasLog, Entry
from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.keys import session_keys
from isshoni.backend.store.redis.port import RedisPort
from isshoni.session.messages import Position

_CANVAS_PAGE = 500


class RedisCanvas(RedisPort):
    """A `CanvasStore`: one stream of updates, and a hash with the snapshot before them."""

    async def append_canvas(
        self,
        session_id: str,
        update: bytes,
        *,
        known: Position | None = None,
        known_digest: str = "",
        beyond: int = 0,
    ) -> int | Behind:
        """Append a Yjs update unless the log lacks `known`; return its seq."""
        expected = (known.epoch, known.seq, known_digest) if known else ("", 0, "")
        seq: int = await self._run(scripts.APPEND_CANVAS, session_id, update, beyond, *expected)
        return seq or Behind()

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
        # The log first: an update that a compaction removes after this is in its snapshot.
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
        """Replace all updates up to `upto` by `snapshot`; return whether it was done.

        False too when the log is no longer the one that this process opened.
        """
        epoch = self._listeners.epoch(session_id)
        if epoch is None:
            epoch = (await self._open(session_id)).epoch
        done = await self._run(scripts.COMPACT_CANVAS, session_id, epoch, upto, snapshot, digest)
        return bool(done)
