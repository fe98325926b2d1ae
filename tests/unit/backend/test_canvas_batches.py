"""Canvas updates that arrive together: written as one, each author told once Redis has them."""

import asyncio
import random
import struct
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.canvas_batches import BATCH_BYTES, CanvasBatches, join_if_safe
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.store.ports import Behind
from isshoni.session.close_codes import CloseCode
from isshoni.session.sync import SyncUpdate, make_step1, make_update, parse_y_frame
from isshoni.session.yjs_contents import Contents
from isshoni.session.yjs_parts import read_contents
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer


class GatedStore(FakeSessionStore):
    """A store whose canvas writes wait for a gate, and may then be lost unanswered."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.fails = False

    async def append_canvas(self, session_id: str, update: bytes, **known: Any) -> int | Behind:
        await self.gate.wait()
        if self.fails:
            raise StoreUnavailable("the fake store was told to fail")
        return await super().append_canvas(session_id, update, **known)


class Painter:
    """A Yjs client on an ASGI connection."""

    def __init__(self, manager: WebSocketManager, name: str) -> None:
        self.name = name
        self.peer = Peer(manager)
        # Not a random number: its bytes may look like half of a character, and prevent a batch.
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=int(name[1:]) + 1)
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)
        self.made: list[bytes] = []
        self.doc.observe(lambda event: self.made.append(event.update))

    async def enter(self) -> None:
        await self.peer.restore(client_id=self.name, can=["canvas"])
        self.peer.say_bytes(make_step1(self.doc))
        await wait_until(lambda: any(isinstance(f, bytes) for f in self.peer.frames), "a step 2")

    def draw(self, key: str) -> None:
        self.elements[key] = {"by": self.name}
        self.peer.say_bytes(make_update(self.made[-1]))

    @property
    def saved(self) -> int:
        return max((message["updates"] for message in self.peer.of("saved")), default=0)

    def seen(self) -> set[str]:
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
        for frame in self.peer.frames:
            if isinstance(frame, bytes) and isinstance(m := parse_y_frame(frame), SyncUpdate):
                doc.apply_update(m.update)
        return set(elements.keys())


async def _painters(store: FakeSessionStore, count: int) -> list[Painter]:
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    painters = [Painter(manager, f"p{number}") for number in range(count)]
    for painter in painters:
        await painter.enter()
    return painters


@pytest.mark.spec("A3")
async def test_changes_that_arrive_while_one_is_written_are_one_entry_and_each_is_saved() -> None:
    store = GatedStore()
    painters = await _painters(store, 3)
    for number in range(20):
        for painter in painters:
            painter.draw(f"{painter.name}-{number}")
    await wait_until(lambda: all(p.peer.inbox.empty() for p in painters), "all received")
    assert [painter.saved for painter in painters] == [0, 0, 0]
    store.gate.set()
    await wait_until(lambda: [p.saved for p in painters] == [20, 20, 20], "all saved")
    assert len(store.server.sessions["s"].canvas) < 10
    names = {f"{painter.name}-{number}" for painter in painters for number in range(20)}
    await wait_until(lambda: all(one.seen() == names for one in painters), "all seen")


@pytest.mark.spec("A3")
async def test_no_change_of_a_batch_that_redis_refused_is_called_saved() -> None:
    store = GatedStore()
    painters = await _painters(store, 2)
    for painter in painters:
        for number in range(5):
            painter.draw(f"{number}")
    await wait_until(lambda: all(p.peer.inbox.empty() for p in painters), "all received")
    store.fails = True
    store.gate.set()
    await wait_until(lambda: all(one.peer.code is not None for one in painters), "closes")
    assert [one.peer.code for one in painters] == [CloseCode.INTERNAL_ERROR] * 2
    assert [one.saved for one in painters] == [0, 0]
    assert store.server.sessions["s"].canvas == []


@pytest.mark.spec("A3")
async def test_a_broken_change_is_refused_alone() -> None:
    store = GatedStore()
    ann, bo = await _painters(store, 2)
    ann.draw("a")
    bo.peer.say_bytes(make_update(b"\x01\x01\x05\x00\x04"))
    bo.draw("b")
    store.gate.set()
    await bo.peer.wait_for("error")
    await wait_until(lambda: (ann.saved, bo.saved) == (1, 1), "the others are saved")
    await wait_until(lambda: ann.seen() == {"a", "b"}, "and seen")


async def test_a_write_that_never_ends_is_followed_by_nothing_that_calls_it_saved() -> None:
    """As when the process is killed between the merge and Redis's answer."""
    written: list[bytes] = []
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def append(update: bytes) -> None:
        written.append(update)
        await never

    batches = CanvasBatches(append)
    first = batches.add(b"\x00\x00", Contents([], []))
    await wait_until(lambda: len(written) == 1, "the first is being written")
    second = batches.add(b"\x00\x00", Contents([], []))
    assert first is not second
    assert not any(batch.is_done for batch in (first, second))
    never.cancel()  # no answer
    await wait_until(lambda: first.is_done, "the first has ended")
    assert first.is_cancelled
    assert len(written) == 1


async def test_a_batch_has_a_bounded_size() -> None:
    async def append(update: bytes) -> None:
        assert len(update) <= BATCH_BYTES

    batches = CanvasBatches(append)
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    for number in range(10):
        elements[f"{number}"] = "x" * 20_000
    found = [batches.add(update, read_contents(update)) for update in made]
    assert len(set(map(id, found))) == 4
    await wait_until(lambda: all([batch.is_done for batch in found]), "all are written")
    assert [batch.fault for batch in found] == [None] * len(found)


@pytest.mark.parametrize("seed", range(5))
def test_updates_with_characters_that_may_be_cut_are_not_joined(seed: int) -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    text = doc.get("text", type=pycrdt.Text)
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    for _ in range(4):
        text += random.Random(seed).choice("ab") + "😀"
    assert join_if_safe(made, [read_contents(update) for update in made]) == made


async def test_pieces_of_a_large_change_are_not_joined_and_not_lost() -> None:
    written: list[bytes] = []

    async def append(update: bytes) -> None:
        written.append(update)

    batches = CanvasBatches(append)
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    for number in range(3):
        elements[f"{number}"] = number
    batch = batches.add(made[0], None)
    assert batches.add(made[1], read_contents(made[1])) is batch
    assert batches.add(made[2], read_contents(made[2])) is batch
    await wait_until(lambda: batch.is_done, "it is written")
    assert written == made


def test_numbers_that_look_like_a_character_that_may_be_cut_are_joined() -> None:
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    for number in range(3):
        elements["x"] = struct.unpack(">d", b"\x40\x00\xf1\x81\x82\x83\x01" + bytes((number,)))[0]
    assert all(b"\xf1\x81\x82\x83" in update for update in made)
    assert len(join_if_safe(made, [read_contents(update) for update in made])) == 1
