"""The ports of a relay: a door for clients and an admin port of each colour."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import uvicorn
from fastapi import FastAPI

from isshoni.backend.process.listening import bind
from isshoni.backend.tasks import start_essential
from isshoni.relay.relay import Relay
from isshoni.relay.settings import RelaySettings


class _AdminServer(uvicorn.Server):
    """A uvicorn server that leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Ports:
    """The listening sockets, and what serves them.

    Servers get duplicates: the sockets stay open when a server closes, so that clients that connect
    while another process takes over wait and are not refused.
    """

    def __init__(
        self,
        settings: RelaySettings,
        relay: Relay,
        apps: Mapping[str, FastAPI],
        end_process: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._relay = relay
        self._apps = apps
        self._end_process = end_process
        self._sockets: dict[str, tuple[socket.socket, socket.socket]] = {}
        self._doors: list[asyncio.Server] = []
        self._admin: list[tuple[_AdminServer, asyncio.Task[None]]] = []

    def bind(self, inherited: Mapping[str, tuple[socket.socket, socket.socket]]) -> None:
        """Listen on all ports, with inherited sockets where they have the port that is wanted.

        Raises `PortTaken`.
        """
        for colour, door in self._settings.doors.items():
            name = f"ISSHONI_RELAY_{colour.upper()}"
            public, admin = inherited.get(colour, (None, None))
            self._sockets[colour] = (
                _keep_or_bind(public, f"{name}_PORT", self._settings.host, door.port),
                _keep_or_bind(admin, f"{name}_ADMIN_PORT", "127.0.0.1", door.admin_port),
            )

    def by_colour(self) -> dict[str, int]:
        """Return the port of each colour's door."""
        return {colour: one.getsockname()[1] for colour, (one, _) in self._sockets.items()}

    def descriptors(self) -> list[tuple[str, int, int]]:
        """Return each colour with the descriptors of its door and its admin port."""
        return [
            (colour, door.fileno(), admin.fileno())
            for colour, (door, admin) in self._sockets.items()
        ]

    async def open_doors(self) -> None:
        """Accept clients."""
        loop = asyncio.get_running_loop()
        for colour, (door, _) in self._sockets.items():
            accept = partial(self._relay.accept, colour)
            self._doors.append(await loop.create_server(accept, sock=door.dup()))

    def close_doors(self) -> None:
        """Accept no more clients; they wait in the kernel's queue."""
        for door in self._doors:
            door.close()
        self._doors.clear()

    def open_admin(self) -> None:
        """Serve the admin ports; a fault ends the process in order."""
        for colour, (_, admin) in self._sockets.items():
            server = _make_server(self._apps[colour])
            work = server.serve(sockets=[admin.dup()])
            task = start_essential("serve an admin port", work, self._end_process)
            self._admin.append((server, task))

    async def close_admin(self) -> None:
        """End the requests that are under way, and accept no more."""
        for server, _ in self._admin:
            server.should_exit = True
        if self._admin:
            await asyncio.wait([task for _, task in self._admin])
        self._admin.clear()

    def close(self) -> None:
        """Close the listening sockets: connects are refused, unless another process has them."""
        for pair in self._sockets.values():
            for one in pair:
                one.close()
        self._sockets.clear()


def _keep_or_bind(
    inherited: socket.socket | None, variable: str, host: str, port: int
) -> socket.socket:
    if inherited is not None:
        if port in (0, inherited.getsockname()[1]):
            return inherited
        inherited.close()  # the port was changed
    return bind(variable, host, port)


def _make_server(app: FastAPI) -> _AdminServer:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    return _AdminServer(config)
