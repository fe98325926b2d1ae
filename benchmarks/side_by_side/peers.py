"""The servers that are compared, and how each is started."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.side_by_side.folder import PINS, SERVERS, Folder
from tests.support.backend import ADMIN_TOKEN, TICKET_SECRET, UNLIMITED
from tests.support.valkey import find_free_port

ISSHONI = "isshoni"


@dataclass(frozen=True)
class Peer:
    """One server: what it is for, what the generator speaks with it, how it is started."""

    name: str
    label: str
    kind: str
    """`chat` or `canvas`."""
    protocol: str
    runtime: str
    """`isshoni`, `node` or `python`."""
    program: Sequence[str]
    packages: Sequence[str] = ()
    health: str = "/"
    client: str = ""
    """The stock client that its deploys are measured with."""

    @property
    def deploy_program(self) -> Sequence[str]:
        """Return the program with what its best deploy needs."""
        return [*self.program, "recover"] if self.name == "socket.io" else self.program


def _uvicorn(app: str) -> list[str]:
    options = "--loop uvloop --http httptools --ws websockets-sansio --log-level warning"
    quiet = "--ws-per-message-deflate false --no-access-log --backlog 4096"
    return ["-m", "uvicorn", "--app-dir", str(SERVERS), *options.split(), *quiet.split(), app]


PEERS = (
    Peer(ISSHONI, "Isshoni", "chat", "isshoni", ISSHONI, [], health="/readyz"),
    Peer(
        "socket.io",
        "Socket.IO 4, streams adapter",
        "chat",
        "socket.io",
        "node",
        ["socketio.cjs", "streams"],
        ["socket.io", "@socket.io/redis-streams-adapter"],
        client="socket.io",
    ),
    Peer(
        "socket.io-pubsub",
        "Socket.IO 4, pub/sub adapter",
        "chat",
        "socket.io",
        "node",
        ["socketio.cjs", "pubsub"],
        ["socket.io", "@socket.io/redis-adapter"],
        client="socket.io",
    ),
    Peer(
        "python-socketio",
        "python-socketio, uvicorn",
        "chat",
        "socket.io",
        "python",
        _uvicorn("socketio_chat:app"),
        ["python-socketio", "uvicorn"],
        client="socket.io",
    ),
    Peer(
        "channels",
        "Django Channels, uvicorn",
        "chat",
        "plain",
        "python",
        _uvicorn("channels_chat:app"),
        ["channels", "channels-redis", "uvicorn"],
        client="plain",
    ),
    Peer(
        "fastapi",
        "FastAPI, redis.asyncio pub/sub",
        "chat",
        "plain",
        "python",
        _uvicorn("fastapi_chat:app"),
        ["fastapi", "redis", "uvicorn"],
        client="plain",
    ),
    Peer("isshoni-canvas", "Isshoni", "canvas", "isshoni-canvas", ISSHONI, [], health="/readyz"),
    Peer(
        "hocuspocus",
        "Hocuspocus 4, Redis extension",
        "canvas",
        "hocuspocus",
        "node",
        ["hocuspocus.mjs"],
        ["@hocuspocus/server", "@hocuspocus/extension-redis"],
        client="hocuspocus",
    ),
)
NAMES = tuple(peer.name for peer in PEERS)


def choose_peers(only: Sequence[str]) -> list[Peer]:
    """Return the named peers, and Isshoni's of the same kinds, which they are compared with."""
    chosen = [peer for peer in PEERS if not only or peer.name in only]
    kinds = {peer.kind for peer in chosen}
    return [p for p in PEERS if p in chosen or (p.runtime == ISSHONI and p.kind in kinds)]


def command_of(
    peer: Peer, folder: Folder, port: int, redis_url: str, *, deploy: bool = False
) -> tuple[list[str], Mapping[str, str]]:
    """Return the command that starts a peer, and what is added to its environment."""
    program = peer.deploy_program if deploy else peer.program
    if peer.runtime == "node":
        script, *arguments = program
        command = ["node", str(SERVERS / script), str(port), redis_url, *arguments]
        return command, {"NODE_ENV": "production", "PEERS_MODULES": str(folder.node_modules)}
    if peer.runtime == "python":
        address = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(folder.python), *program, *address], {"REDIS_URL": redis_url}
    return [sys.executable, "-m", "isshoni.backend"], {
        "ISSHONI_COLOUR": "blue",
        "ISSHONI_VERSION": "benchmark",
        "ISSHONI_PORT": str(port),
        "ISSHONI_ADMIN_PORT": str(find_free_port()),
        "ISSHONI_ADMIN_TOKEN": ADMIN_TOKEN,
        "ISSHONI_TICKET_SECRET": TICKET_SECRET,
        "REDIS_URL": redis_url,
        **UNLIMITED,
    }


def install(peers: Sequence[Peer], folder: Folder, *, clients: bool) -> None:
    """Install what these peers need, and their stock clients if those are asked for."""
    folder.path.mkdir(parents=True, exist_ok=True)
    if any(peer.runtime == "node" or (clients and peer.client) for peer in peers):
        folder.install_node_packages()
    if any(peer.runtime == "python" for peer in peers):
        folder.install_python_packages()


def versions_of(peer: Peer) -> dict[str, str]:
    """Return the pinned versions of a peer's packages."""
    if peer.runtime == "node":
        pinned = json.loads((PINS / "package.json").read_text())["dependencies"]
    else:
        lines = (PINS / "requirements.txt").read_text().splitlines()
        pinned = dict(line.split("==") for line in lines if "==" in line)
    return {name: pinned[name] for name in peer.packages}
