"""Pass what a program's socket reports to the client that it belongs to."""

import time
from typing import Protocol

from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.program_socket import ProgramSocket


class Client(Protocol):
    """A client's socket, as far as its programs' sockets report to it."""

    link: Link | None

    def write(self, data: bytes) -> None:
        """Send bytes to the client, or queue them."""

    def finish(self) -> None:
        """Let the client know that no more comes."""

    def end(self) -> None:
        """Close the client's socket."""

    def leg_lost(self, program: ProgramSocket, leg: Leg) -> None:
        """Handle the end of a program's socket."""

    def program_is_full_of(self, source: object, is_full: bool) -> None:
        """Stop reading from the client while a program does not read."""


class LegEvents:
    """Passes a program's events to the link of its client."""

    __slots__ = ("_client", "_leg", "_program")

    def __init__(self, client: Client, program: ProgramSocket, leg: Leg) -> None:
        self._client, self._program, self._leg = client, program, leg

    def program_sent(self, data: bytes) -> None:
        """Pass bytes on."""
        link = self._client.link
        if link is not None:
            link.program_sent(self._leg, data, time.monotonic())

    def program_finished(self) -> None:
        """Pass on that no more comes."""
        link = self._client.link
        if link is not None:
            link.program_finished(self._leg, time.monotonic())

    def program_lost(self) -> None:
        """Pass the end on."""
        self._client.leg_lost(self._program, self._leg)

    def program_is_full(self, is_full: bool) -> None:
        """Stop or resume reading from the client."""
        self._client.program_is_full_of(self._program, is_full)


class TunnelEvents:
    """Passes the bytes of an answer that opened no WebSocket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def program_sent(self, data: bytes) -> None:
        """Pass bytes on."""
        self._client.write(data)

    def program_finished(self) -> None:
        """Pass on that no more comes."""
        self._client.finish()

    def program_lost(self) -> None:
        """End the client's socket."""
        self._client.end()

    def program_is_full(self, is_full: bool) -> None:
        """Stop or resume reading from the client."""
        self._client.program_is_full_of(self, is_full)
