"""Send all of a large canvas to a connection, no faster than its client reads it."""

import asyncio
from collections.abc import Sequence

from isshoni.backend.live.connection import Connection
from isshoni.backend.live.element_view import ElementView
from isshoni.backend.live.outgoing import Outgoing
from isshoni.backend.tasks import start_once
from isshoni.session.messages import CanvasChanged, encode

SHORT_BYTES = 192 * 1024
"""Frames of up to this size together are sent at once."""


class Download:
    """The frames of a large canvas; all connections that are sent them share the bytes."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._frames = frames
        self.is_short = sum(map(len, frames)) <= SHORT_BYTES

    def send(self, connection: Connection) -> None:
        """Send all frames at once."""
        for frame in self._frames:
            connection.send(Outgoing.binary(frame))

    def start(self, connection: Connection) -> "asyncio.Task[None]":
        """Send the frames one after another, each when the one before it was read."""
        return start_once("send a canvas", self._send_paced(connection))

    async def _send_paced(self, connection: Connection) -> None:
        for frame in self._frames:
            await connection.wait_until_drained()
            if connection.is_closing:
                return
            connection.send(Outgoing.binary(frame))
            await asyncio.sleep(0)


async def send_elements(
    connection: Connection, view: ElementView, groups: Sequence[list[str]]
) -> None:
    """Send elements as JSON, as they are by the time that each frame is sent."""
    for ids in groups:
        await connection.wait_until_drained()
        if connection.is_closing:
            return
        connection.send(Outgoing.text(encode(CanvasChanged(view.pick(ids)))))
        await asyncio.sleep(0)
