"""The local environment: Redis, load balancer and two slots on one machine."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from isshoni.engine.notifications import Notifier
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.local.addresses import Addresses, find_addresses
from isshoni.environments.local.backends import LocalBackends
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.envoy import EnvoyTraffic
from isshoni.environments.local.filesystems import refuse_network_filesystem, translate_os_errors
from isshoni.environments.local.locking import one_at_a_time
from isshoni.environments.local.open_files import open_files_limit
from isshoni.environments.local.port_allocation import PortBook, allocate_ports
from isshoni.environments.local.port_checks import BALANCER, REDIS, PortChecks
from isshoni.environments.local.processes import LocalProcesses
from isshoni.environments.local.program_logs import ProgramLogs
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.region import Region
from isshoni.environments.local.relay import LocalRelay, describe_restarts, describe_version
from isshoni.environments.local.relay_names import name_relay
from isshoni.environments.local.releases import ReleaseStore
from isshoni.environments.local.slot_programs import SlotSettings
from isshoni.environments.local.slots import LocalCompute
from isshoni.environments.local.startup import Parts, Startup
from isshoni.environments.local.supervision import (
    stop_supervisor,
    supervisor_pid,
)
from isshoni.environments.probes import TicketProbes
from isshoni.environments.progress import ReportStep, ignore_step
from isshoni.plurals import count
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, Relaying, Release, Stable

_TURN_PATIENCE_SECONDS = 120.0


class LocalEnvironment:
    """Implements the engine's ports for one machine, and starts and stops its programs."""

    def __init__(
        self,
        config: LocalConfig,
        progress: ReportStep = ignore_step,
        region: Region | None = None,
    ) -> None:
        self._progress = progress
        self._region = region
        self.config = config.model_copy(update={"state_dir": config.state_dir.absolute()})
        self._state_dir = self.config.state_dir
        self._files = ProgramFiles(self._state_dir)
        self._logs = ProgramLogs(self._files)
        refuse_network_filesystem(self.config)
        with translate_os_errors(self._state_dir):
            self._files.make_directories()
            self._credentials = load_credentials(self._state_dir)
            self.ports = allocate_ports(self.config)
            self._port_book = PortBook(self.config, self.ports)
        self._port_checks = PortChecks(self.config, self.ports, self._port_book, self._files)
        self.redis_url = config.redis_url or (
            f"redis://:{self._credentials.redis_password}@127.0.0.1:{self.ports.redis}/0"
        )
        self._balancer = BalancerFiles(self.config, self.ports)
        self.traffic = EnvoyTraffic(self._balancer, self.addresses().balancer_admin)
        settings = SlotSettings(self.config, self.ports, self._credentials, self.redis_url, region)
        self.relay = LocalRelay(
            self.config, self._port_book, self._files, self._credentials.admin_token
        )
        releases = ReleaseStore(self._state_dir, progress)
        self.compute = LocalCompute(
            settings,
            self._port_book,
            self._files,
            self._balancer,
            releases,
            self.relay,
            self._list_stables,
        )
        self.variables = self.compute.variables
        self.backends = LocalBackends(
            self.compute,
            self._port_book,
            self._balancer,
            self.relay,
            self._credentials.admin_token,
        )
        self.leaving = None  # only the engine ends programs here
        self.processes = LocalProcesses(self.backends, self._balancer, self.traffic, self.relay)
        self.probes = TicketProbes(self.addresses().public, self._credentials.ticket_secret)

    @property
    def admin_token(self) -> str:
        """Return the token for the admin API and for the dashboard's actions."""
        return self._credentials.admin_token

    @property
    def token_keys(self) -> str:
        """Return the keys that sign session tokens."""
        return self._credentials.token_keys

    @property
    def region_name(self) -> str | None:
        """Return the name of its region; None if it has no regions."""
        return None if self._region is None else self._region.name

    @property
    def files(self) -> ProgramFiles:
        """Return the files by which its supervisor is asked to run programs."""
        return self._files

    @property
    def port_book(self) -> PortBook:
        """Return the ports of its processes."""
        return self._port_book

    @property
    def state_dir(self) -> Path:
        """Return the directory of all its files."""
        return self._state_dir

    @property
    def public_url(self) -> str:
        """Return the URL that users open."""
        return self.addresses().public

    @property
    def relaying(self) -> Relaying | None:
        """Return how sockets of programs run by `--command` are relayed; None: they are not."""
        return self.config.relaying

    @property
    def log_names(self) -> Sequence[str]:
        """Return the programs that have a log."""
        return self._logs.names

    @property
    def alarms(self) -> None:
        """Return None: a local environment has no outside monitor."""

    def open_journal(self) -> SqliteJournal:
        """Open the journal; the caller closes it."""
        return SqliteJournal(self._state_dir / "journal.sqlite")

    def _list_stables(self) -> list[Stable]:
        with contextlib.closing(self.open_journal()) as journal:
            return journal.list_stables()

    def find_notifiers(self) -> Sequence[Notifier]:
        """Return no notifiers: only the configuration names some."""
        return ()

    def describe_up(self) -> Sequence[str]:
        """Return the ports that its programs listen on, one per line."""
        fresh = not self._files.names()  # ports were chosen for this look only
        asked = dict(self.config.ports)
        lines = [
            f"{name:<15} {'any free port' if fresh and not asked[name] else f'port {port}'}"
            for name, port in self.ports
        ]
        count = self.config.process_count
        return lines if count == 1 else [*lines, f"{'processes':<15} {count} on each slot"]

    async def preview_start(self, colour: Colour, release: Release) -> None:
        """Return None: programs are started here, and nothing is created for them."""

    async def tail_log(self, name: str, lines: int) -> list[str]:
        """Return the last lines of a program's log, oldest first."""
        return await self._logs.tail(name, lines)

    def follow_log(self, name: str) -> AsyncIterator[str]:
        """Yield each line of a program's log as it is written."""
        return self._logs.follow(name)

    def addresses(self) -> Addresses:
        """Return the URLs of the environment's programs."""
        return find_addresses(self.config.plain_host, self.ports)

    async def up(self, stable: Stable) -> None:
        """Start or repair every part of the environment that does not run. Idempotent.

        `stable` is the serving release; the other slot is not changed.
        """
        async with self._turn():
            await Startup(self._list_parts(), self._progress).up(stable)

    def _list_parts(self) -> Parts:
        return Parts(
            self.config,
            self.ports,
            self._files,
            self._port_book,
            self._port_checks,
            self.redis_url,
            self._credentials.redis_password,
            self._balancer,
            self.traffic,
            self.compute,
            self.relay,
            self.public_url,
            self._region,
            self.admin_token,
        )

    async def down(self) -> None:
        """Stop everything; keep messages and canvases. Idempotent."""
        async with self._turn():
            # Slots first: while they drain, their clients still need the balancer.
            self._progress("draining and stopping the slots")
            await asyncio.gather(*(self.compute.stop(colour) for colour in COLOURS))
            relays = dict.fromkeys(map(name_relay, self.relay.numbers), "the relay")
            parts = {**relays, BALANCER: "the load balancer", REDIS: "Redis"}
            for name, words in parts.items():
                if self._files.wanted(name) is not None:
                    self._progress(f"stopping {words}")
                self._files.unwant(name)
                await self.compute.wait_until_gone(name)
            await stop_supervisor(self._state_dir)

    async def purge(self) -> None:
        """Delete all data of the stopped environment: sessions, logs and history."""
        self._progress(f"removing {self._state_dir}")
        if self.config.redis_url is not None:
            self._progress("the sessions stay in the Redis of `redis_url`: delete its keys there")
        await asyncio.to_thread(shutil.rmtree, self._state_dir, ignore_errors=True)

    async def find_troubles(self) -> Sequence[str]:
        """Report an ended relay, slots whose clients cannot move, and refused connections."""
        relay = (describe_restarts(self._files), describe_version(self._files))
        found = [*relay, *self.compute.list_unmovable()]
        lines = (await self._describe_unsupervised(), *found, await self._describe_refused())
        return [line for line in lines if line is not None]

    async def _describe_unsupervised(self) -> str | None:
        """Return a warning if programs run that nothing would start again."""
        if supervisor_pid(self._state_dir) is not None or not await self.is_up():
            return None
        return (
            "no supervisor is running: a program that ends is not "
            "started again. `isshoni up` starts it, and changes nothing else"
        )

    async def _describe_refused(self) -> str | None:
        try:
            refused = await self.traffic.count_turned_away()
        except EnvironmentFault:
            return None
        if not refused:
            return None
        return (
            f"the load balancer turned away {count(refused, 'connection')}: it accepts at most "
            f"{self._balancer.read_max_sockets()}, because the limit of open files is "
            f"{open_files_limit(self._state_dir)}. Raise the limit (`ulimit -Hn`), then run "
            "`isshoni down` and `isshoni up`"
        )

    async def is_up(self) -> bool:
        """True if the balancer runs and a slot is healthy, with or without a supervisor."""
        try:
            return any((await self.traffic.observe_health()).values())
        except EnvironmentFault:
            return False

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Lock, so that only one `up` or `down` runs at a time."""
        with translate_os_errors(self._state_dir):
            self._files.make_directories()
            lock = self._state_dir / "up.lock"
            async with one_at_a_time(lock, _TURN_PATIENCE_SECONDS, "another `up` or `down`"):
                yield
