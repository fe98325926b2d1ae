"""A session that nobody is in: its memory is given back, and it comes back unharmed."""

import gc
import weakref

import pycrdt

from isshoni.backend.context import BackendContext
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.settings.settings import BackendSettings
from tests.support.fake_store import FakeSessionStore


def make_session() -> LiveSession:
    settings = BackendSettings(admin_token="a", ticket_secret="t" * 32)
    return LiveSession("team", BackendContext(settings, FakeSessionStore()))


async def draw(session: LiveSession, element_id: str) -> None:
    doc = pycrdt.Doc[pycrdt.Map[str]]()
    doc.get("elements", type=pycrdt.Map[str])[element_id] = "drawn"
    await session.ensure_canvas()
    await session.append_canvas(doc.get_update())


async def test_an_idle_canvas_is_released_and_comes_back_unharmed() -> None:
    session = make_session()
    await draw(session, "one")
    document = weakref.ref((await session.ensure_canvas()).document)
    await session.chat_appends.append("ann", 1, b'{"client_id":"ann","n":1,"text":"hi","at":1}')
    await session.unload()
    gc.collect()
    assert document() is None, "an idle session holds its document"
    await draw(session, "two")
    history = await session.history.since(None, 0)
    assert len(history.events) == 1
    await session.unload()
    assert set((await session.ensure_view()).elements()) == {"one", "two"}
