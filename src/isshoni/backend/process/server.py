"""The backend process: two servers in one event loop; signals drain it before it stops."""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI

from isshoni.backend.context import BackendContext
from isshoni.backend.health.health import Health
from isshoni.backend.http.admin import Admin, create_admin_app
from isshoni.backend.http.app import create_app
from isshoni.backend.http.asset_shelf import AssetShelf
from isshoni.backend.http.pages import Pages
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.log import configure_logging, log_event
from isshoni.backend.metrics.cloudwatch_metrics import EmbeddedMetrics
from isshoni.backend.metrics.metrics import Metrics, make_registry
from isshoni.backend.metrics.open_files import raise_open_files_limit
from isshoni.backend.process.drain import Drain
from isshoni.backend.process.lean_protocol import make_lean
from isshoni.backend.process.listening import ListeningSockets, open_listeners
from isshoni.backend.process.request_heads import RefuseHead, bound_http, count_refused_heads
from isshoni.backend.process.succession import (
    HEIR_VARIABLE,
    SPARE_VARIABLE,
    TOOK_OVER,
    answer_spare,
    find_line,
    wait_to_take_over,
)
from isshoni.backend.region.region import Region
from isshoni.backend.settings.settings import BackendSettings, read_settings
from isshoni.backend.store.redis.link import LinkSettings
from isshoni.backend.store.redis.store import RedisStore
from isshoni.backend.store.redis.store_settings import StoreSettings
from isshoni.backend.store.sealed_store import SealedStore
from isshoni.backend.tasks import report_uncaught, start_essential, start_lasting
from isshoni.errors import ExitCode, IsshoniError
from isshoni.garbage import ShortCollections
from isshoni.session.messages import MAX_CANVAS_FRAME_BYTES
from isshoni.session.region import RegionMac

_DAY_SECONDS = 86_400.0
_REDIS_PATIENCE_SECONDS = 1.0
"""Seconds that a slow Redis may delay the start of serving."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone.

    On SIGTERM uvicorn closes every socket at once and loses unanswered messages; here the
    process drains first, and stops the servers after that.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    """Run the backend process; return its exit code."""
    try:
        faulthandler.enable()  # so that SIGABRT prints where a hanging program is
        settings = read_settings(os.environ)
        configure_logging()
        raise_open_files_limit()
        process = _Process(settings)
        _freeze_loaded_modules()
        listeners = _wait_for_listeners(settings)
    except IsshoniError as fault:
        sys.stderr.write(f"isshoni.backend: {fault}\n")
        return int(fault.exit_code)
    return int(uvloop.run(process.run(listeners)))


def _freeze_loaded_modules() -> None:
    """Exclude all loaded modules from garbage collection, and later what survives one.

    Each full collection would examine them, for a tenth of a second or more in which no client
    is served, and find nothing.
    """
    ShortCollections().start()
    gc.enable()


def _wait_for_listeners(settings: BackendSettings) -> ListeningSockets:
    """Open the listening sockets; a spare waits until it inherits those of another process."""
    line = find_line(os.environ, SPARE_VARIABLE)
    inherited = wait_to_take_over(line) if line else None
    listeners = (
        ListeningSockets(*inherited, inherited=True) if inherited else open_listeners(settings)
    )
    _log_start(TOOK_OVER if line else "started", settings, listeners)
    return listeners


class _Process:
    """All parts of the process, made before the listening sockets are open."""

    def __init__(self, settings: BackendSettings) -> None:
        self._redis = RedisStore(
            settings.redis_url,
            StoreSettings(
                link=LinkSettings(durability=settings.redis_durability),
                offline_window_seconds=settings.offline_window_seconds,
                session_expiry_seconds=settings.session_expiry_days * _DAY_SECONDS,
                max_sessions=settings.max_sessions_stored,
                channel_secret=settings.log_secret or settings.ticket_secret,
                has_regions=bool(settings.region),
            ),
        )
        self._store = SealedStore(self._redis, settings.vault)
        self._region = _make_region(settings, self._redis)
        context = BackendContext(settings, self._store, region=self._region)
        self._manager = WebSocketManager(context)
        self._pages = Pages(Path(settings.static_dir), settings.embed_hosts)
        self._assets = AssetShelf(self._redis, settings.log_secret or settings.ticket_secret)
        if self._region is not None:
            self._region.on_change.append(self._assets.doubt)
        health = Health(
            self._store,
            lambda: self._manager.draining,
            self._assets.filled.is_set,
            lambda: self._redis.shortage,
            self._region,
        )
        self._metrics = Metrics(context, self._manager, self._redis)
        namespace = settings.metrics_namespace
        self._embedded = (
            EmbeddedMetrics(
                self._metrics,
                namespace,
                settings.colour,
                settings.environment,
                _make_standby_reading(self._region),
            )
            if namespace
            else None
        )
        registry = make_registry(
            self._metrics,
            colour=settings.colour,
            version=settings.version,
            process=settings.process,
        )
        admin = Admin(context, self._manager, health, self._metrics, self._redis)
        admin_app = create_admin_app(admin, registry, settings.admin_token)
        public_app = create_app(context, self._manager, health, self._pages, self._assets)
        note = count_refused_heads(context.counters)
        self._public_server = _make_server(public_app, settings, note)
        self._admin_server = _make_server(admin_app, settings, note)
        self._drain = Drain(self._manager, settings.drain_seconds)

    async def run(self, listeners: ListeningSockets) -> ExitCode:
        """Serve until a signal or a failure, then drain, then stop; return the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(report_uncaught)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._drain.request)
        _stand_by_for_spares(listeners)
        if listeners.inherited:
            self._assets.trust_predecessor()
        connecting = self._start_essential("connect to Redis", self._redis.start())
        background = [connecting, *self._start_background(connecting)]
        # A client that connects now waits in the backlog; accepted now, it would be refused.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REDIS_PATIENCE_SECONDS):
                await asyncio.wait((connecting,))
                if self._region is not None:
                    await self._region.known.wait()
                if self._region is None or self._region.state == "serving":
                    await self._assets.filled.wait()
        serving = [
            self._start_essential(f"serve the {name} port", server.serve(sockets=[listener]))
            for name, server, listener in (
                ("public", self._public_server, listeners.public),
                ("admin", self._admin_server, listeners.admin),
            )
        ]
        await self._drain.wait_until_done()
        for server in (self._public_server, self._admin_server):
            server.should_exit = True
        await asyncio.wait(serving)
        for task in background:
            task.cancel()
        await self._store.aclose()
        log_event("stopped")
        return ExitCode.ENVIRONMENT if self._drain.failed else ExitCode.OK

    def _start_essential(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return start_essential(name, work, self._drain.request_after_failure)

    def _start_background(self, connecting: asyncio.Task[None]) -> list[asyncio.Task[None]]:
        """Start the tasks that run for as long as the process lives."""
        tasks = [
            start_lasting("store the page's assets", partial(self._fill_shelf, connecting)),
            start_lasting("sample the event loop", self._metrics.sample),
            start_lasting("close expired connections", self._manager.close_expired),
        ]
        if self._region is not None:
            tasks.append(start_lasting("follow the regions", self._region.run))
        if self._embedded is not None:
            tasks.append(start_lasting("write metrics", self._embedded.publish))
        return tasks

    async def _fill_shelf(self, connecting: asyncio.Task[None]) -> None:
        await asyncio.wait((connecting,))  # otherwise the first try fails, and costs half a second
        await self._assets.fill(self._pages)


def _make_region(settings: BackendSettings, store: RedisStore) -> Region | None:
    if not settings.region:
        return None
    macs = RegionMac(settings.log_secret or settings.ticket_secret)
    return Region(settings.region, store, store.gate, macs, settings.region_alternatives)


def _make_standby_reading(region: Region | None) -> Callable[[], bool] | None:
    """Return what tells whether this process stands by; None without regions."""
    return None if region is None else lambda: region.state == "standby"


def _stand_by_for_spares(listeners: ListeningSockets) -> None:
    """Answer spares that ask for the listening sockets, if this process can have spares."""
    line = find_line(os.environ, HEIR_VARIABLE)
    if line is None:
        return
    loop = asyncio.get_running_loop()

    def answer() -> None:
        if answer_spare(line, (listeners.public, listeners.admin)):
            log_event("spare_ready")
        else:
            loop.remove_reader(line.fileno())
            line.close()

    line.setblocking(False)
    loop.add_reader(line.fileno(), answer)


def _make_server(app: FastAPI, settings: BackendSettings, note: RefuseHead) -> _Server:
    config = uvicorn.Config(
        app,
        http=bound_http(note),
        ws=make_lean(note, settings.heartbeat_seconds),
        ws_max_size=MAX_CANVAS_FRAME_BYTES,
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
    )
    config.load()  # otherwise it would happen at the first moment of serving
    return _Server(config)


def _log_start(event: str, settings: BackendSettings, listeners: ListeningSockets) -> None:
    log_event(
        event,
        version=settings.version,
        colour=settings.colour,
        pid=os.getpid(),
        port=listeners.public.getsockname()[1],
        admin_port=listeners.admin.getsockname()[1],
    )
    if not settings.auth_required:
        log_event(
            "open_to_guests",
            level=logging.WARNING,
            meaning="every client that reaches the public port may enter and write in any session",
            to_close="set ISSHONI_TOKEN_KEYS and ISSHONI_AUTH=required",
        )
