"""The process: two servers in one loop, and signals that drain before they stop."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from isshoni.backend.addresses import is_private
from isshoni.backend.admin import Admin, create_admin_app
from isshoni.backend.app import create_app
from isshoni.backend.context import BackendContext
from isshoni.backend.drain import Drain
from isshoni.backend.errors import PortTaken, PublicAdminAddress
from isshoni.backend.health import Health
from isshoni.backend.lean_protocol import LeanProtocol
from isshoni.backend.log import configure_logging, log_event
from isshoni.backend.metrics import Metrics, make_registry
from isshoni.backend.pages import Pages
from isshoni.backend.redis_link import LinkSettings
from isshoni.backend.redis_store import RedisStore, StoreSettings
from isshoni.backend.sealed_store import SealedStore
from isshoni.backend.settings import BackendSettings, read_settings
from isshoni.backend.websocket_manager import WebSocketManager
from isshoni.errors import ExitCode, IsshoniError
from isshoni.session.messages import MAX_FRAME_BYTES

_BACKLOG = 4096


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone.

    On SIGTERM uvicorn closes every socket at once and loses what was in flight; here the
    process drains first, and ends the servers after.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    """Run the backend process; gives its exit code."""
    try:
        settings = read_settings(os.environ)
        configure_logging()
        public = _bind("ISSHONI_PORT", settings.host, settings.port)
        admin = _bind("ISSHONI_ADMIN_PORT", settings.admin_host, settings.admin_port)
        _check_admin_address(settings, admin)
    except IsshoniError as fault:
        sys.stderr.write(f"isshoni.backend: {fault}\n")
        return int(fault.exit_code)
    uvloop.run(_run(settings, public, admin))
    return int(ExitCode.OK)


def _bind(variable: str, host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as fault:
        raise PortTaken(variable, host, port, fault.strerror or str(fault)) from None
    listener.setblocking(False)
    return listener


def _check_admin_address(settings: BackendSettings, listener: socket.socket) -> None:
    """Refuse an admin port that strangers can reach; what a name resolved to counts."""
    address = listener.getsockname()[0]
    if not settings.admin_allow_public and not is_private(address):
        listener.close()
        raise PublicAdminAddress(settings.admin_host, address)


async def _run(settings: BackendSettings, public: socket.socket, private: socket.socket) -> None:
    redis = RedisStore(
        settings.redis_url,
        StoreSettings(
            link=LinkSettings(durability=settings.redis_durability),
            offline_window_seconds=settings.offline_window_seconds,
        ),
    )
    store = SealedStore(redis, settings.vault)
    context = BackendContext(settings, store)
    manager = WebSocketManager(context)
    pages = Pages(Path(settings.static_dir))
    health = Health(store, lambda: manager.draining, lambda: context.assets.is_filled)
    metrics = Metrics(context, manager, redis)
    registry = make_registry(metrics, colour=settings.colour, version=settings.version)
    admin = Admin(context, manager, health, metrics)

    public_server = _make_server(
        create_app(context, manager, health, pages), settings.heartbeat_seconds
    )
    admin_server = _make_server(
        create_admin_app(admin, registry, settings.admin_token), settings.heartbeat_seconds
    )
    drain = Drain(manager, settings.drain_seconds)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)

    connecting = loop.create_task(redis.start())
    shelving = loop.create_task(context.assets.fill(pages))
    sampling = loop.create_task(metrics.sample())
    watching = loop.create_task(manager.watch())
    serving = [
        loop.create_task(public_server.serve(sockets=[public])),
        loop.create_task(admin_server.serve(sockets=[private])),
    ]
    _log_start(settings, public, private)
    await drain.wait_until_done()
    for server in (public_server, admin_server):
        server.should_exit = True
    await asyncio.wait(serving)
    for task in (connecting, shelving, sampling, watching):
        task.cancel()
    await store.aclose()
    log_event("stopped")


def _make_server(app: FastAPI, heartbeat_seconds: float) -> _Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws=LeanProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        # Finds half-open sockets, whatever the client does: a browser answers by itself.
        ws_ping_interval=heartbeat_seconds,
        ws_ping_timeout=heartbeat_seconds,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def _log_start(settings: BackendSettings, public: socket.socket, private: socket.socket) -> None:
    log_event(
        "started",
        version=settings.version,
        colour=settings.colour,
        pid=os.getpid(),
        port=public.getsockname()[1],
        admin_port=private.getsockname()[1],
    )
    if not settings.auth_required:
        log_event(
            "open_to_guests",
            level=logging.WARNING,
            meaning="anybody who can reach the public port may enter and write in any session",
            to_close="set ISSHONI_TOKEN_KEYS and ISSHONI_AUTH=required",
        )
