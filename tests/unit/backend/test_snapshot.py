"""A snapshot that is to replace a log has all of it, or is not made."""

import asyncio
import random

import pytest

from isshoni.backend.live import whole_canvas
from isshoni.backend.live.canvas import Canvas
from isshoni.backend.live.canvas_worker import WORKER_BYTES, measure_log, snapshot_apart
from isshoni.backend.live.slices import Slices, Steps
from isshoni.backend.live.whole_canvas import make_snapshot_in_parts
from isshoni.backend.store.ports import CanvasLog, Entry
from isshoni.session.yjs_parts import cut_into_parts, read_contents
from isshoni.session.yjs_walk import BrokenUpdate
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.session.test_split_update import Author


def _log(author: Author) -> CanvasLog:
    made: list[bytes] = []
    author.doc.observe(lambda event: made.append(event.update))
    dice = random.Random(7)
    for _ in range(30):
        author.edit(dice)
    return CanvasLog(None, [Entry(at, update) for at, update in enumerate(made, 1)], len(made))


def test_a_snapshot_has_every_struct_and_deletion_of_a_log() -> None:
    author = Author()
    snapshot = make_snapshot_in_parts(_log(author), frozenset())
    reader = Author()
    reader.doc.apply_update(snapshot.update)
    assert reader.read() == author.read()


@pytest.mark.parametrize("lost", ["structs", "deletions"])
def test_a_snapshot_that_lacks_a_part_of_the_log_is_refused(
    lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author()
    log = _log(author)
    if lost == "structs":
        part = whole_canvas.make_snapshot(
            CanvasLog(None, log.updates[:-1], log.seq - 1), frozenset()
        )
    else:
        part = whole_canvas.make_snapshot(log, frozenset())
        structs = read_contents(part).chunks
        part = cut_into_parts(structs, 1 << 30)[0].update

    def merge(log: CanvasLog, poison: frozenset[int]) -> Steps[bytes]:
        yield
        return part

    monkeypatch.setattr(whole_canvas, "_merge", merge)
    with pytest.raises(BrokenUpdate, match="would lack"):
        make_snapshot_in_parts(log, frozenset())


async def test_a_small_snapshot_lets_others_run_after_each_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses = 0

    async def pause(slices: Slices) -> None:
        nonlocal pauses
        pauses += 1

    monkeypatch.setattr(Slices, "pause", pause)
    author, reader = Author(), Author()
    log = _log(author)
    assert measure_log(log) < WORKER_BYTES
    snapshot = await snapshot_apart(log, frozenset())
    reader.doc.apply_update(snapshot.update)
    assert reader.read() == author.read()
    assert pauses >= 2 * len(log.updates)


class _SlowStore(FakeSessionStore):
    """A store that reads one log at a time, when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.reading: list[str] = []
        self.may_read = asyncio.Event()
        self.compacted: list[str] = []

    async def load_canvas(self, session_id: str) -> CanvasLog:
        self.reading.append(session_id)
        await self.may_read.wait()
        return await super().load_canvas(session_id)

    async def compact_canvas(
        self, session_id: str, snapshot: bytes, *, upto: int, digest: str = ""
    ) -> bool:
        self.compacted.append(session_id)
        return await super().compact_canvas(session_id, snapshot, upto=upto, digest=digest)


async def test_small_canvases_are_compacted_in_turn() -> None:
    store, canvases = _SlowStore(), []
    log = _log(Author())
    for session_id in ("a", "b", "c"):
        canvas = Canvas(session_id, store, lambda: None, lambda: None)
        for entry in log.updates:
            await store.append_canvas(session_id, entry.payload)
            canvas.apply(entry)
        canvases.append(canvas)
    for canvas in canvases:
        canvas.compact_if_changed()
    await wait_until(lambda: bool(store.reading), "a compaction")
    await asyncio.sleep(0)
    assert store.reading == ["a"]
    store.may_read.set()
    await wait_until(lambda: store.reading == ["a", "b", "c"], "the others")
    await wait_until(lambda: store.compacted == ["a", "b", "c"], "the snapshots")
