"""Changes to the canvas that are handled without the reader, and those that are left to it."""

from collections.abc import Callable
from typing import Any

import pycrdt
import pytest

from isshoni.backend.context import BackendContext
from isshoni.backend.live.canvas_writer import CanvasWriter
from isshoni.backend.live.connection import Connection
from isshoni.backend.live.in_flight import MAX_IN_FLIGHT, IsUnsent
from isshoni.backend.live.live_session import LiveSession
from isshoni.backend.live.wire import AsgiWire
from isshoni.backend.security.auth import GUEST, Permit
from isshoni.backend.settings.limits import Limits
from isshoni.backend.settings.settings import BackendSettings
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.token_bucket import Rate
from isshoni.session.sync import make_awareness, make_step1, make_update
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until


class Place:
    """A writer on a session whose canvas is loaded, and a document that is edited."""

    def __init__(self, permit: Permit = GUEST, **limits: Any) -> None:
        self.store = FakeSessionStore()
        settings = BackendSettings(admin_token="a", ticket_secret="s" * 32, limits=Limits(**limits))
        context = BackendContext(settings, self.store)
        self.session = LiveSession("s", context)

        async def send(message: Any) -> None:
            """Drop a frame."""

        self.connection = Connection(context, "s", permit, AsgiWire(send))
        self.writer = CanvasWriter(self.connection, self.session)
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)
        self._made: list[bytes] = []
        self.doc.observe(lambda event: self._made.append(event.update))

    def draw(self, name: str, value: Any = 1) -> bool:
        self._elements[name] = value
        return self.writer.handle_at_once(make_update(self._made[-1]))

    async def drawn(self) -> set[str]:
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        for entry in await self.store.read_canvas("s", after=0):
            doc.apply_update(entry.payload)
        return set(doc.get("elements", type=pycrdt.Map).keys())

    async def wait_until_saved(self) -> None:
        await wait_until(lambda: self.connection.in_flight.is_empty, "all are saved")


async def load(permit: Permit = GUEST, **limits: Any) -> Place:
    place = Place(permit, **limits)
    await place.session.ensure_canvas()
    return place


@pytest.mark.parametrize("size", [1, 100, 127, 128, 200, 5_000, 16_000])
async def test_a_change_is_added_at_once_and_saved(size: int) -> None:
    place = await load()
    assert place.draw("a", "x" * size)
    assert place.draw("b")
    assert place.connection.in_flight.count == 1  # one batch
    await place.wait_until_saved()
    assert await place.drawn() == {"a", "b"}
    assert place.connection.counters.edits == 2


async def test_what_must_wait_is_left_to_the_reader() -> None:
    place = Place()
    assert not place.draw("a")  # the canvas is not loaded
    await place.session.ensure_canvas()
    for frame in (
        make_step1(place.doc),
        make_awareness(b"\x00"),
        make_update(b"\x00\x00"),
        make_update(b"\x01\x01\x01"),
        make_update(b"\x00\x00")[:-1],
        b"\x00\x02",
        b"\x00",
        b"",
    ):
        assert not place.writer.handle_at_once(frame)
    assert not place.draw("b", "x" * 20_000)
    assert place.connection.in_flight.is_empty
    assert place.connection.counters.bad_frames == 0


def _close(place: Place) -> None:
    place.connection.close(CloseCode.SERVICE_RESTART)


def _finish(place: Place) -> None:
    place.connection.is_finishing = True


def _drop(place: Place) -> None:
    place.connection.has_dropped = True


@pytest.mark.parametrize("end", [_close, _finish, _drop])
async def test_nothing_is_added_at_once_by_a_connection_that_ends(
    end: Callable[[Place], None],
) -> None:
    place = await load()
    end(place)
    assert not place.draw("a")
    assert place.connection.in_flight.is_empty


@pytest.mark.parametrize("permit", [Permit("ann", "read"), Permit("ann", "write", expires_at=1.0)])
async def test_a_client_that_may_not_write_is_left_to_the_reader_which_refuses_it(
    permit: Permit,
) -> None:
    place = await load(permit)
    assert not place.draw("a")
    assert place.connection.counters.read_only == 0  # counted where it is refused


async def test_a_change_above_the_rate_waits_in_the_reader() -> None:
    place = await load(canvas_frames=Rate(0.001, 2.0))
    assert [place.draw(name) for name in "abc"] == [True, True, False]
    place = await load(canvas_frames=Rate(0.001, 2.0), canvas_frame_bytes=Rate(0.001, 300.0))
    assert place.draw("a", "x" * 150)
    assert not place.draw("b", "x" * 150)
    assert place.draw("b")  # the frame above was counted in neither


async def test_a_change_beyond_the_room_of_the_canvas_is_left_to_the_reader() -> None:
    place = await load(canvas_bytes=100)
    assert not place.draw("a", "x" * 100)
    assert place.connection.counters.canvas_full == 0


class Unanswered:
    """A write that Redis does not answer."""

    def done(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def drop(self, is_unsent: IsUnsent) -> None:
        raise NotImplementedError


async def test_it_leaves_a_change_to_the_reader_while_too_many_writes_are_in_flight() -> None:
    place = await load()
    assert place.draw("a")
    for _ in range(MAX_IN_FLIGHT - 1):
        place.connection.in_flight.add(Unanswered(), lambda _: None)
    assert not place.draw("b")
