"""The relay process: a door and an admin port for each colour, in one event loop."""

import asyncio
import signal
import socket
from functools import partial
from pathlib import Path

from isshoni.backend.log import log_event
from isshoni.backend.metrics.counters import Gauges
from isshoni.backend.metrics.metrics import sample_process
from isshoni.backend.tasks import report_uncaught, start_lasting, start_once
from isshoni.errors import ExitCode
from isshoni.relay.admin import RelayAdmin, create_relay_admin_app
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.moves import Timing
from isshoni.relay.doors import Door, DoorFile, Doors, FixedDoors
from isshoni.relay.ports import Ports
from isshoni.relay.relay import Relay
from isshoni.relay.settings import RelaySettings
from isshoni.relay.upgrade.giving import Giving
from isshoni.relay.upgrade.line import Line
from isshoni.relay.upgrade.meeting import (
    check_directory,
    find_serving_relay,
    is_same_user,
    listen_for_next,
)
from isshoni.relay.upgrade.messages import RelayRecord
from isshoni.relay.upgrade.taking import Listeners, Taking
from isshoni.relay.upgrade.turns import wait_for_turn

_RETRY_SECONDS = 0.1


class RelayProcess:
    """All parts of the process."""

    def __init__(self, settings: RelaySettings) -> None:
        self._relay = Relay(_make_doors(settings), Timing())
        self._gauges = Gauges()
        self._directory = settings.directory
        self._turns = settings.turns
        self._stop = asyncio.Event()
        self._failed = False
        self._background: list[asyncio.Task[None]] = []
        self._admins = {
            colour: RelayAdmin(self._relay, colour, self._gauges) for colour in settings.doors
        }
        apps = {
            colour: create_relay_admin_app(admin, settings.admin_token)
            for colour, admin in self._admins.items()
        }
        self._ports = Ports(settings, self._relay, apps, self._fail)
        self._record: RelayRecord | None = None
        self._attempts: dict[ClientSocket, tuple[float, int]] = {}

    async def run(self) -> ExitCode:
        """Serve until SIGTERM or SIGINT, a newer relay, or a failed part; return the exit code.

        Raises `PortTaken`, `BadDirectory` and `CannotTakeOver`, before this process is the relay.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(report_uncaught)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._background = [
            start_lasting("move relayed clients in time", self._relay.tick),
            start_lasting("sample the event loop", partial(sample_process, self._gauges)),
        ]
        await self._begin()
        await self._stop.wait()
        self._ports.close_doors()
        await self._ports.close_admin()
        for task in self._background:
            task.cancel()
        log_event("relay_stopped")
        return ExitCode.ENVIRONMENT if self._failed else ExitCode.OK

    async def _begin(self) -> None:
        """Become the relay: continue with what another process serves, or begin with nothing."""
        taking = None if self._directory is None else await self._take_over(self._directory)
        if self._directory is not None:
            wait = partial(self._wait_for_next, self._directory, listen_for_next(self._directory))
            self._background.append(start_lasting("wait for a newer relay", wait))
        if not self._ports.by_colour():
            self._ports.bind({})
            await self._ports.open_doors()
        for colour, admin in self._admins.items():
            if self._record is not None and colour in self._record.admins:
                admin.restore(self._record.admins[colour], self._attempts)
        self._ports.open_admin()
        log_event("relay_started", **self._ports.by_colour())
        if taking is not None:
            start_once("take over late clients", taking.take_late_ones())

    async def _take_over(self, directory: Path) -> Taking | None:
        """Continue what the relay that serves has; None if there is none."""
        check_directory(directory)
        async with wait_for_turn(self._turns):
            while (connected := find_serving_relay(directory)) is not None:
                taking = Taking(self._relay, Line(connected), self)
                if await taking.take():
                    return taking
                await asyncio.sleep(_RETRY_SECONDS)  # it ended, or passed everything on just then
        return None

    # As the receiver of an upgrade

    async def open_doors(self, listeners: Listeners, record: RelayRecord) -> None:
        """Accept clients at the doors of the relay before."""
        self._record = record
        for colour, counts in record.counters.items():
            self._relay.count(colour).restore(counts)
        self._relay.last_move_at = record.last_move_at
        for colour, admin in self._admins.items():
            if colour in record.admins:
                admin.restore_share(record.admins[colour])
        self._ports.bind(listeners)
        await self._ports.open_doors()

    def restore_attempt(self, client: ClientSocket, deadline: float, tries: int) -> None:
        """Store until when a running move tries a client, and how often it did."""
        if deadline:
            self._attempts[client] = (deadline, tries)

    # As the controls of an upgrade

    async def _wait_for_next(self, directory: Path, listener: socket.socket) -> None:
        """Pass everything on to each newer relay that asks, until one has taken over."""
        loop = asyncio.get_running_loop()
        while True:
            connected, _ = await loop.sock_accept(listener)
            if not is_same_user(connected):
                connected.close()
                continue
            if await Giving(self._relay, Line(connected), self).give():
                listener.close()
                self._ports.close()
                self._stop.set()
                return

    async def stop_listening(self) -> None:
        """Accept no more connections, at no port; they wait, and are not refused."""
        await self._ports.close_admin()
        self._ports.close_doors()

    async def listen(self) -> None:
        """Accept connections again."""
        await self._ports.open_doors()
        self._ports.open_admin()

    def listeners(self) -> list[tuple[str, int, int]]:
        """Return each colour with the descriptors of its door and its admin port."""
        return self._ports.descriptors()

    def record(self) -> RelayRecord:
        """Return what belongs to no client."""
        return RelayRecord(
            counters={c: counts.record() for c, counts in self._relay.counters.items()},
            last_move_at=self._relay.last_move_at,
            admins={colour: admin.record() for colour, admin in self._admins.items()},
        )

    def record_attempt(self, client: ClientSocket) -> tuple[float, int]:
        """Return until when a running move tries a client, and how often it did; or zeros."""
        for admin in self._admins.values():
            found = admin.record_attempt(client)
            if found is not None:
                return found
        return 0.0, 0

    def _fail(self) -> None:
        self._failed = True
        self._stop.set()


def _make_doors(settings: RelaySettings) -> Doors:
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
