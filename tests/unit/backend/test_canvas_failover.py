"""A canvas whose log lost its end, while Redis still stumbles."""

from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.settings.settings import BackendSettings
from isshoni.backend.store.ports import CanvasLog
from isshoni.session.sync import make_step1, make_update
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import Peer

SETTINGS = BackendSettings(admin_token="a", ticket_secret="s" * 32)


class StumblingStore(FakeSessionStore):
    """A store that fails some loads of a canvas."""

    failing_loads = 0

    async def load_canvas(self, session_id: str) -> CanvasLog:
        if self.failing_loads:
            self.failing_loads -= 1
            raise StoreUnavailable("the fake store stumbles")
        return await super().load_canvas(session_id)


@pytest.mark.spec("A4")
@pytest.mark.parametrize("failing_loads", [0, 1, 2])
async def test_the_only_copy_of_an_edit_is_kept_until_the_log_has_it(failing_loads: int) -> None:
    store = StumblingStore()
    manager = WebSocketManager(BackendContext(SETTINGS, store))
    ann = Peer(manager)
    await ann.restore(client_id="ann", can=["canvas"])
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
    ann.say_bytes(make_step1(doc))
    for number, change in enumerate(({"kept": 1}, {"lost": 2}), 1):
        before = doc.get_state()
        elements.update(change)
        ann.say_bytes(make_update(doc.get_update(before)))
        await ann.wait_for("saved", number)
    before = doc.get_state()
    del elements["kept"]
    ann.say_bytes(make_update(doc.get_update(before)))
    await ann.wait_for("saved", 3)
    await ann.leave()  # nobody but the process holds it now
    store.server.lose_tail("s", 0, canvas_seq=1)
    store.failing_loads = failing_loads
    store.recover()
    session = store.server.sessions["s"]
    await wait_until(lambda: session.canvas_seq > 3, "the log has it, under a new seq")
    log = await FakeSessionStore(store.server).load_canvas("s")
    read: pycrdt.Doc[Any] = pycrdt.Doc()
    for entry in log.updates:
        read.apply_update(entry.payload)
    assert read.get("elements", type=pycrdt.Map).to_py() == {"lost": 2.0}
