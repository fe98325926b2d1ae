"""The canvas over real sockets: y-websocket's frames, and JSON for the others."""

from typing import Any

import pycrdt
import pytest

from isshoni.session.sync import (
    AwarenessUpdate,
    SyncStep1,
    SyncUpdate,
    diff,
    make_awareness,
    make_step1,
    make_step2,
    make_update,
    parse_y_frame,
)
from tests.support.backend import BackendProcess, RawClient
from tests.support.cut_updates import ELEMENTS, TEXT, UPDATES, Reader


class Drawer:
    """A Yjs document on a raw connection, as a stock y-websocket client has it."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self.elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)
        self._unsent: list[bytes] = []

    async def sync(self) -> None:
        """Send step 1, take step 2, answer the server's step 1."""
        await self.client.connection.send(make_step1(self.doc))
        steps = 0
        while steps < 2:
            frame = parse_y_frame(await self.client.read_binary())
            if isinstance(frame, SyncUpdate):
                self.doc.apply_update(frame.update)
                steps += 1
            elif isinstance(frame, SyncStep1):
                await self.client.connection.send(make_step2(diff(self.doc, frame.state)))
                steps += 1

    async def draw(self, element_id: str, element: Any) -> None:
        before = self.doc.get_state()
        self.elements[element_id] = element
        await self.client.connection.send(make_update(self.doc.get_update(before)))

    async def read_until(self, element_id: str) -> Any:
        while element_id not in self.elements:
            frame = parse_y_frame(await self.client.read_binary())
            if isinstance(frame, SyncUpdate):
                self.doc.apply_update(frame.update)
        return self.elements[element_id]


@pytest.mark.spec("A3")
async def test_edits_reach_binary_and_json_clients_on_both_processes(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    ann = Drawer(await backend.connect(session_id))
    bob = Drawer(await green.connect(session_id))
    eve = await green.join(session_id)
    await ann.sync()
    await bob.sync()
    await ann.draw("box", {"x": 1, "label": "상자"})
    assert await bob.read_until("box") == {"x": 1, "label": "상자"}
    told = await eve.read("canvas")
    assert told["elements"] == {"box": {"x": 1, "label": "상자"}}
    before = ann.doc.get_state()
    del ann.elements["box"]
    await ann.client.connection.send(make_update(ann.doc.get_update(before)))
    assert (await eve.read("canvas"))["elements"] == {"box": None}
    for client in (ann.client, bob.client, eve):
        await client.close()


@pytest.mark.spec("A2")
async def test_restoring_gives_the_canvas_as_json(backend: BackendProcess, session_id: str) -> None:
    ann = Drawer(await backend.connect(session_id))
    await ann.sync()
    await ann.draw("a", {"x": 1})
    await ann.read_until("a")
    watcher = await backend.connect(session_id)
    await watcher.restore()
    await ann.draw("b", [1, 2])
    while (await watcher.read("canvas"))["elements"] != {"b": [1, 2]}:
        pass
    late = await backend.connect(session_id)
    assert (await late.restore())["canvas_state"] == {"a": {"x": 1}, "b": [1, 2]}
    assert (await late.restore(can=["canvas"]))["canvas_state"] is None
    for client in (ann.client, watcher, late):
        await client.close()


@pytest.mark.spec("A4")
async def test_what_was_drawn_offline_comes_up_and_counts_as_saved(
    backend: BackendProcess, session_id: str
) -> None:
    ann = Drawer(await backend.join(session_id, can=["canvas"]))
    ann.elements["offline"] = {"x": 1}
    await ann.sync()
    assert await ann.client.read("saved") == {"type": "saved", "updates": 1}
    await ann.draw("online", {"x": 2})
    assert await ann.client.read("saved") == {"type": "saved", "updates": 2}
    bob = Drawer(await backend.connect(session_id))
    await bob.sync()
    assert set(bob.elements.keys()) == {"offline", "online"}
    await ann.client.close()
    await bob.client.close()


async def test_awareness_is_echoed_to_everybody(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    ann = Drawer(await backend.connect(session_id))
    bob = Drawer(await green.connect(session_id))
    await ann.sync()
    await bob.sync()
    hello = make_awareness(b'\x01\x05\x01\x0c{"name":"a"}')
    await ann.client.connection.send(hello)
    for drawer in (ann, bob):
        while await drawer.client.read_binary() != hello:
            pass
        await drawer.client.close()


async def test_a_yjs_client_never_sees_json_and_a_chat_client_never_sees_binary(
    backend: BackendProcess, session_id: str
) -> None:
    ann = Drawer(await backend.connect(session_id))
    eve = await backend.join(session_id, client_id="eve", can=["canvas"])
    await ann.sync()
    await eve.chat(1)
    await eve.read("ack")
    await ann.client.connection.send(b"garbage")
    await ann.draw("a", 1)
    assert isinstance(await ann.client.next_frame(), bytes)
    await eve.send(type="ping")
    frames = []
    while (frame := await eve.next_frame()) != {"type": "pong"}:
        frames.append(frame)
    assert all(frame["type"] == "chat" for frame in frames)
    await ann.client.close()
    await eve.close()


async def test_a_long_canvas_log_is_compacted_and_still_whole(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    ann = Drawer(await backend.join(session_id, can=["canvas"]))
    await ann.sync()
    for number in range(600):
        await ann.draw(f"e{number % 50}", {"x": number})
    while (await ann.client.read("saved"))["updates"] < 600:
        pass
    bob = Drawer(await green.connect(session_id))
    await bob.sync()
    assert {key: int(bob.elements[key]["x"]) for key in bob.elements.keys()} == {
        f"e{number % 50}": number for number in range(550, 600)
    }
    await ann.client.close()
    await bob.client.close()


def make_updates(count: int) -> list[bytes]:
    """Make so many updates, each of which builds on the one before."""
    doc, updates = pycrdt.Doc[pycrdt.Map[int]](), []
    elements = doc.get("elements", type=pycrdt.Map[int])
    for number in range(count):
        before = doc.get_state()
        elements["e"] = number
        updates.append(doc.get_update(before))
    return updates


@pytest.mark.spec("A4")
async def test_a_hole_in_the_canvas_is_told_and_filled_by_whoever_has_it(
    backend: BackendProcess, session_id: str
) -> None:
    first, second, third = make_updates(3)
    ann = await backend.join(session_id, can=["canvas"])
    await ann.connection.send(b"\x00\x00\x01\x00")
    for update in (first, third):
        await ann.connection.send(make_update(update))
    # The server asks for what follows the first: the third is of no use to it yet.
    question = SyncStep1(pycrdt.get_state(first))
    while parse_y_frame(await ann.read_binary()) != question:
        pass
    assert backend.status()["counters"]["canvas_holes"] == 1
    assert "event=canvas_hole" in backend.log
    await ann.connection.send(make_update(second))
    while (await ann.read("saved"))["updates"] < 3:
        pass
    late = await backend.connect(session_id)
    assert (await late.restore())["canvas_state"] == {"e": 2}
    await late.close()
    await ann.close()


@pytest.mark.spec("A4")
async def test_edits_that_were_logged_before_what_they_build_on_are_shown_by_every_process(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    doc, made = pycrdt.Doc[pycrdt.Map[int]](), list[bytes]()
    elements = doc.get("elements", type=pycrdt.Map[int])
    doc.observe(lambda event: made.append(event.update))
    for value, key in enumerate("aab"):
        elements[key] = value
    ann = await backend.join(session_id, can=["canvas"])
    await ann.connection.send(b"\x00\x00\x01\x00")
    for number, update in enumerate(reversed(made), 1):
        await ann.connection.send(make_update(update))
        while (await ann.read("saved"))["updates"] < number:
            pass  # each is an entry of the log of its own
    for process in (backend, green):  # one follows the log, the other loads it
        late = await process.connect(session_id)
        assert (await late.restore())["canvas_state"] == {"a": 1, "b": 2}
        await late.close()
    await ann.close()


async def test_a_newcomer_is_told_at_once_who_is_here_and_later_who_left(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    ann, bob = await backend.connect(session_id), await green.connect(session_id)
    await bob.connection.send(b"\x00\x00\x01\x00")
    # Presence is published once and kept nowhere: green must have subscribed before.
    await bob.read_binary()
    await ann.connection.send(make_awareness(b"\x01\x05\x01\x04true"))
    assert parse_y_frame(await read_awareness(bob)) == AwarenessUpdate(b"\x01\x05\x01\x04true")
    for process in (backend, green):
        newcomer = await process.connect(session_id)
        await newcomer.connection.send(b"\x00\x00\x01\x00")
        told = parse_y_frame(await read_awareness(newcomer))
        assert told == AwarenessUpdate(b"\x01\x05\x01\x04true")
        await newcomer.close()
    ann.connection.transport.abort()
    # That she is here may come a second time: as the answer to bob's question, and as news.
    while (heard := parse_y_frame(await read_awareness(bob))) == told:
        pass
    assert heard == AwarenessUpdate(b"\x01\x05\x01\x04null")
    await bob.close()


async def read_awareness(client: RawClient) -> bytes:
    while (frame := await client.read_binary())[:1] != b"\x01":
        pass
    return frame


async def test_a_newcomer_to_an_open_canvas_has_what_followed_a_cut_character(
    backend: BackendProcess, session_id: str
) -> None:
    before = backend.status()["counters"]
    ann = await backend.join(session_id, can=["canvas"])
    await ann.connection.send(make_step1(pycrdt.Doc()))
    for update in UPDATES:
        await ann.connection.send(make_update(update))
    while (await ann.read("saved"))["updates"] < len(UPDATES):
        pass
    newcomer = Drawer(await backend.connect(session_id))
    reader = Reader()
    newcomer.doc = reader.doc
    await newcomer.sync()
    assert reader.read() == (TEXT, ELEMENTS)
    after = backend.status()["counters"]
    assert after["canvas_cut_characters"] > before["canvas_cut_characters"]
    assert after["canvas_holes"] == before["canvas_holes"]
    assert "event=canvas_cut_character" in backend.log
    await newcomer.client.close()
    await ann.close()
