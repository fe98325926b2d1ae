"""What stock clients are, where they connect to, and what they send."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from isshoni.verify.settings import InvalidRun

CLIENTS_PER_PROCESS = 250
ROOM, CLIENT, NUMBER, ID = "{room}", "{client}", "{number}", "{id}"


class Kind(StrEnum):
    """A client library that applications are used with."""

    PLAIN = "plain"
    YJS = "yjs"
    HOCUSPOCUS = "hocuspocus"
    SOCKET_IO = "socket.io"

    @property
    def is_document(self) -> bool:
        """True if messages are entries of a shared document."""
        return self in (Kind.YJS, Kind.HOCUSPOCUS)

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes that an address of this kind may have."""
        return ("http", "https", "ws", "wss") if self is Kind.SOCKET_IO else ("ws", "wss")


LIBRARIES = {
    Kind.PLAIN: "websockets",
    Kind.YJS: "y-websocket",
    Kind.HOCUSPOCUS: "@hocuspocus/provider",
    Kind.SOCKET_IO: "socket.io-client",
}


@dataclass(frozen=True)
class StockSettings:
    """Settings of a run with stock clients; `{room}`, `{client}` and `{number}` are filled in."""

    kind: Kind
    url: str
    template: str | None = None
    """What a client sends; `{id}` in it is what it is known by. None for the kind's default."""
    joins: tuple[str, ...] = ()
    """Messages that a client sends first on each connection."""
    auth: str | None = None
    """Socket.IO: the `auth` of the handshake, as JSON. Hocuspocus: the token."""
    path: str | None = None
    """Socket.IO: the path of its endpoint."""
    trial_seconds: float = 5.0
    """How long the trial message may take to come back; it is sent three times at most."""
    after_seconds: float = 1.0
    """After a trial message has reached all, for further frames with it."""

    def __post_init__(self) -> None:
        for fault in self._find_faults():
            raise InvalidRun(fault)

    @property
    def message(self) -> str:
        """What a client sends."""
        if self.template is not None:
            return self.template
        return '["message", "{id}"]' if self.kind is Kind.SOCKET_IO else ID

    @property
    def names_rooms(self) -> bool:
        """True if the room stands in an address or message, or is a document."""
        texts = (self.url, self.message, *self.joins, self.auth or "", self.path or "")
        return self.kind.is_document or any(ROOM in text for text in texts)

    def fill(self, room: str, number: int) -> "StockSettings":
        """Return the settings of one client."""

        def filled(text: str) -> str:
            named = text.replace(ROOM, room).replace(CLIENT, f"stock-{number}")
            return named.replace(NUMBER, str(number))

        return replace(
            self,
            url=filled(self.url),
            template=None if self.template is None else filled(self.template),
            joins=tuple(filled(join) for join in self.joins),
            auth=None if self.auth is None else filled(self.auth),
        )

    def _find_faults(self) -> Iterator[str]:
        yield from self._find_faults_of_url()
        if ID not in self.message:
            yield (
                f"--message-template {self.message!r} has no {ID}: a message is known by it when "
                'it comes back, so write for example \'{"text": "{id}"}\''
            )
        if self.kind.is_document and (self.template is not None or self.joins):
            yield (
                f"--client {self.kind} draws in a document of its own and sends no messages: "
                "leave --message-template and --join away"
            )
        if self.path is not None and self.kind is not Kind.SOCKET_IO:
            yield f"--path belongs to --client {Kind.SOCKET_IO}; put it into --url"
        if self.auth is not None and self.kind in (Kind.PLAIN, Kind.YJS):
            yield f"--auth is of no use with --client {self.kind}: put it into --url or --join"
        if self.kind is Kind.SOCKET_IO:
            yield from self._find_faults_of_json()

    def _find_faults_of_url(self) -> Iterator[str]:
        parts = urlsplit(self.url)
        if parts.scheme not in self.kind.schemes or not parts.hostname:
            schemes = " or ".join(f"{scheme}://" for scheme in self.kind.schemes)
            yield (
                f"--url {self.url!r} is no address for --client {self.kind}: it must begin with "
                f"{schemes} and name a host"
            )

    def _find_faults_of_json(self) -> Iterator[str]:
        for option, text in (("--message-template", self.message), *_named("--join", self.joins)):
            event = _decode(text)
            if not isinstance(event, list) or not event or not isinstance(event[0], str):
                yield (
                    f"{option} {text!r} is no event: for --client socket.io it is a JSON list of "
                    'the name and the arguments, for example \'["message", {"text": "{id}"}]\''
                )
        if self.auth is not None and not isinstance(_decode(self.auth), dict):
            yield f'--auth {self.auth!r} is no JSON object, for example \'{{"room": "{{room}}"}}\''


def _named(option: str, texts: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(option, text) for text in texts]


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
