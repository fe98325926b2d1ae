"""The relay process: a door and an admin port for each colour, in one event loop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from functools import partial

import uvicorn
from fastapi import FastAPI

from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Gauges
from isshoni.backend.metrics.metrics import sample_process
from isshoni.backend.process.listening import bind
from isshoni.backend.tasks import report_uncaught, start_essential, start_lasting
from isshoni.errors import ExitCode
from isshoni.relay.admin import RelayAdmin, create_relay_admin_app
from isshoni.relay.core.moves import Timing
from isshoni.relay.doors import Door, DoorFile, Doors, FixedDoors
from isshoni.relay.relay import Relay
from isshoni.relay.settings import RelaySettings


class _AdminServer(uvicorn.Server):
    """A uvicorn server that leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RelayProcess:
    """All parts of the process. Binding raises `PortTaken`, before anything serves."""

    def __init__(self, settings: RelaySettings) -> None:
        self._relay = Relay(_open_doors(settings), Timing())
        self._gauges = Gauges()
        self._stop = asyncio.Event()
        self._failed = False
        self._listeners: dict[str, socket.socket] = {}
        self._admin: list[tuple[_AdminServer, socket.socket]] = []
        for colour, door in settings.doors.items():
            name = f"ISSHONI_RELAY_{colour.upper()}"
            self._listeners[colour] = bind(f"{name}_PORT", settings.host, door.port)
            admin = RelayAdmin(self._relay, colour, self._gauges)
            app = create_relay_admin_app(admin, settings.admin_token)
            listener = bind(f"{name}_ADMIN_PORT", "127.0.0.1", door.admin_port)
            self._admin.append((_make_server(app), listener))

    async def run(self) -> ExitCode:
        """Serve until SIGTERM or SIGINT, or until a part fails; return the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(report_uncaught)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        doors = [
            await loop.create_server(partial(self._relay.accept, colour), sock=listener)
            for colour, listener in self._listeners.items()
        ]
        background = [
            start_lasting("move relayed clients in time", self._relay.tick),
            start_lasting("sample the event loop", partial(sample_process, self._gauges)),
        ]
        serving = [
            start_essential("serve an admin port", server.serve(sockets=[listener]), self._fail)
            for server, listener in self._admin
        ]
        log_event("relay_started", **{c: s.getsockname()[1] for c, s in self._listeners.items()})
        await self._stop.wait()
        for door in doors:
            door.close()
        for server, _ in self._admin:
            server.should_exit = True
        await asyncio.wait(serving)
        for task in background:
            task.cancel()
        log_event("relay_stopped")
        return ExitCode.ENVIRONMENT if self._failed else ExitCode.OK

    def _fail(self) -> None:
        self._failed = True
        self._stop.set()


def _open_doors(settings: RelaySettings) -> Doors:
    if settings.doors_file is not None:
        return DoorFile(settings.doors_file)
    return FixedDoors(
        {
            colour: Door(
                programs=((door.program_host, door.program_port),),
                profile=settings.profile,
                preamble_messages=settings.preamble_messages,
                session_key=settings.session_key,
            )
            for colour, door in settings.doors.items()
        }
    )


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
