"""The applications of the loss benchmark: those of examples/, and how their clients talk."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.examples import copy_example

from isshoni.verify.stock.settings import Kind, StockSettings

CHAT_EVENT = '["chat message", "{id}"]'
PLAIN_IO = "{ adapter: createAdapter(redis) }"
RECOVERING_IO = "{ adapter: createAdapter(redis), connectionStateRecovery: {} }"
LISTEN = "server.listen("
CLOSE_AND_LISTEN = f"process.on('SIGTERM', () => io.close(() => process.exit(0)));\n{LISTEN}"
"""Sessions are stored when their connections close, so a process must not just end."""


@dataclass(frozen=True)
class Peer:
    """One application."""

    name: str
    label: str
    example: str
    kind: Kind
    path: str = ""
    """Of the address that its clients use, after the host and port."""
    template: str | None = None
    replace: dict[str, dict[str, str]] = field(default_factory=dict)
    """File → what is replaced in it."""

    def copy_to(self, directory: Path) -> None:
        """Copy the application into a directory."""
        copy_example(self.example, directory)
        for name, changes in self.replace.items():
            text = (directory / name).read_text()
            for old, new in changes.items():
                if old not in text:
                    raise ValueError(f"examples/{self.example}/{name} has no {old!r}")
                text = text.replace(old, new)
            (directory / name).write_text(text)

    def stock(self, port: int) -> StockSettings:
        """Return the settings of its stock clients."""
        scheme = "http" if self.kind is Kind.SOCKET_IO else "ws"
        url = f"{scheme}://127.0.0.1:{port}{self.path}"
        return StockSettings(self.kind, url, self.template)

    @property
    def needs_node(self) -> bool:
        """True if the application or its clients run in Node.js."""
        return self.kind is not Kind.PLAIN or self.example == "ws-node"


PEERS = (
    Peer("y-websocket", "y-websocket", "y-websocket", Kind.YJS),
    Peer("hocuspocus", "Hocuspocus", "hocuspocus", Kind.HOCUSPOCUS),
    Peer("socket.io", "Socket.IO", "socketio-node", Kind.SOCKET_IO, template=CHAT_EVENT),
    Peer(
        "socket.io-recovery",
        "Socket.IO with connection state recovery",
        "socketio-node",
        Kind.SOCKET_IO,
        template=CHAT_EVENT,
        replace={"server.mjs": {PLAIN_IO: RECOVERING_IO, LISTEN: CLOSE_AND_LISTEN}},
    ),
    Peer(
        "python-socketio",
        "python-socketio",
        "python-socketio",
        Kind.SOCKET_IO,
        template=CHAT_EVENT,
    ),
    Peer(
        "channels",
        "Django Channels",
        "channels",
        Kind.PLAIN,
        "/ws/chat/{room}/",
        '{"message": "{id}"}',
    ),
    Peer("fastapi", "FastAPI", "fastapi-chat", Kind.PLAIN, "/ws/{number}"),
    Peer("ws", "ws (Node.js)", "ws-node", Kind.PLAIN, "/"),
)
NAMES = tuple(peer.name for peer in PEERS)


def can_run(peer: Peer) -> bool:
    """True if this machine has what the peer needs."""
    return not peer.needs_node or shutil.which("node") is not None
