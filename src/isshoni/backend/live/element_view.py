"""The elements of a canvas as JSON, for clients that do not sync the Yjs document."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pycrdt

from isshoni.backend.live.slices import Slices
from isshoni.backend.live.whole_canvas import encode_element
from isshoni.session.yjs_document import YjsDocument

SLICE_SECONDS = 0.005
"""A view is built in slices of this time, between which other sessions are served."""
_DELETED_AT_ONCE = 10
FRAME_BYTES = 1 << 20
"""More elements than this are sent in several frames."""


class ElementView:
    """A Yjs document of a canvas, and each of its elements as JSON.

    Building it takes 20 times as long as loading a canvas, so it is made when a client asks.
    """

    def __init__(self) -> None:
        self._document = YjsDocument()
        doc = self._document.doc
        self._elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
        self._changed: set[str] = set()
        self._encoded: dict[str, msgspec.Raw] = {}
        self._late: list[bytes] | None = []
        """While it is built: the updates that came since."""
        self._observed: pycrdt.Subscription | None = None

    async def build(self, updates: Iterable[bytes]) -> None:
        """Apply all updates of a document, and encode its elements; raises `BrokenUpdate`."""
        slices = Slices(SLICE_SECONDS)
        for update in updates:
            self._document.apply(update)
            await slices.pause()
        # Not a bound method: that reference cycle through Yjs could never be collected.
        changed = self._changed
        self._observed = self._elements.observe_deep(lambda events: _note_changes(changed, events))
        for element_id in list(self._elements.keys()):
            self._encode(element_id)
            await slices.pause()
        late, self._late = self._late or [], None
        for update in late:
            self.apply(update)

    def apply(self, update: bytes) -> set[str]:
        """Apply a later update; return the ids of the elements that it changed."""
        if self._late is not None:
            self._late.append(update)
            return set()
        self._changed.clear()
        self._document.apply(update)
        for element_id in self._changed:
            self._encode(element_id)
        return set(self._changed)

    async def drop(self) -> None:
        """Delete the elements in slices: freeing a document of 20 MB at once takes 0.2 s."""
        slices = Slices(SLICE_SECONDS)
        if self._observed is not None:
            self._elements.unobserve(self._observed)
        ids = list(self._elements.keys())
        for begin in range(0, len(ids), _DELETED_AT_ONCE):
            with self._document.doc.transaction():
                for element_id in ids[begin : begin + _DELETED_AT_ONCE]:
                    del self._elements[element_id]
            await slices.pause()

    def _encode(self, element_id: str) -> None:
        if element_id in self._elements:
            self._encoded[element_id] = encode_element(self._elements, element_id)
        else:
            self._encoded.pop(element_id, None)

    def elements(self) -> dict[str, msgspec.Raw]:
        """Return all elements by id."""
        return dict(self._encoded)

    def pick(self, ids: Iterable[str]) -> dict[str, msgspec.Raw | None]:
        """Return elements by id; a deleted element is None."""
        return {element_id: self._encoded.get(element_id) for element_id in ids}

    def cut_ids(self) -> Iterator[list[str]]:
        """Yield the ids of all elements, in groups of about `FRAME_BYTES` of JSON."""
        group: list[str] = []
        size = 0
        for element_id, encoded in self._encoded.items():
            length = memoryview(encoded).nbytes
            if group and size + length > FRAME_BYTES:
                yield group
                group, size = [], 0
            group.append(element_id)
            size += length
        yield group


def _note_changes(changed: set[str], events: list[Any]) -> None:
    for event in events:
        changed.update([event.path[0]] if event.path else event.keys)
