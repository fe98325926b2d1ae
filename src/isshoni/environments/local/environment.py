"""The local environment: Redis, load balancer and two slots on one machine."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec

from isshoni.engine.notifications import Notifier
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.errors import ProgramNotReady, RedisFault, UnfitRedis
from isshoni.environments.local.addresses import Addresses, find_addresses
from isshoni.environments.local.awaiting import FindTrouble, Waiter, find_no_trouble
from isshoni.environments.local.backends import LocalBackends
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.envoy import EnvoyTraffic, envoy_program
from isshoni.environments.local.filesystems import refuse_network_filesystem
from isshoni.environments.local.locking import one_at_a_time
from isshoni.environments.local.open_files import open_files_limit
from isshoni.environments.local.port_allocation import PortBook, allocate_ports
from isshoni.environments.local.port_checks import BALANCER, REDIS, RELAY, PortChecks
from isshoni.environments.local.probing import find_trouble
from isshoni.environments.local.process_names import SlotProcess
from isshoni.environments.local.processes import LocalProcesses
from isshoni.environments.local.program_logs import ProgramLogs
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.local.redis_server import (
    check_redis,
    examine_redis,
    mask_password,
    redis_program,
)
from isshoni.environments.local.relay import LocalRelay, describe_restarts, describe_version
from isshoni.environments.local.releases import ReleaseStore
from isshoni.environments.local.slot_programs import SlotSettings
from isshoni.environments.local.slots import LocalCompute
from isshoni.environments.local.supervision import (
    ensure_supervisor,
    stop_supervisor,
    supervisor_pid,
)
from isshoni.environments.probes import TicketProbes
from isshoni.environments.progress import ReportStep, ignore_step
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Relaying, Stable, Weights, other

_TURN_PATIENCE_SECONDS = 120.0


class LocalEnvironment:
    """Implements the engine's ports for one machine, and starts and stops its programs."""

    def __init__(self, config: LocalConfig, progress: ReportStep = ignore_step) -> None:
        self._progress = progress
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
        settings = SlotSettings(self.config, self.ports, self._credentials, self.redis_url)
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
        self.processes = LocalProcesses(self.backends, self._balancer, self.traffic)
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
        lines = [f"{name:<15} port {port}" for name, port in self.ports]
        count = self.config.process_count
        return lines if count == 1 else [*lines, f"{'processes':<15} {count} on each slot"]

    async def tail_log(self, name: str, lines: int) -> list[str]:
        """Return the last lines of a program's log, oldest first."""
        return await self._logs.tail(name, lines)

    def follow_log(self, name: str) -> AsyncIterator[str]:
        """Yield each line of a program's log as it is written."""
        return self._logs.follow(name)

    def addresses(self) -> Addresses:
        """Return the URLs of the environment's programs."""
        return find_addresses(self.config.host, self.ports)

    async def up(self, stable: Stable) -> None:
        """Start or repair every part of the environment that does not run. Idempotent.

        `stable` is the serving release; the other slot is not changed.
        """
        async with self._turn():
            self._refuse_other_release(stable)
            self._check_ports_of_all(stable)
            if self.compute.release_on(stable.colour) is None:
                self._progress(f"preparing {stable.release.label}")
                await self.compute.prepare(stable.release)
            self._announce("the supervisor", runs=supervisor_pid(self._state_dir) is not None)
            await ensure_supervisor(self._state_dir)
            self._announce_redis()
            await self._start_redis()
            await self._examine_redis()
            name = f"{stable.release.label} on {stable.colour}"
            self._announce(name, runs=self._runs(stable.colour))
            await self._start_stable(stable)
            self._announce("the load balancer", runs=self._runs(BALANCER))
            await self._start_balancer(stable)
            self._progress(f"up at {self.addresses().public}")

    def _announce(self, what: str, *, runs: bool) -> None:
        self._progress(f"{what} is running" if runs else f"starting {what}")

    def _announce_redis(self) -> None:
        if self.config.redis_url is None:
            self._announce("Redis", runs=self._runs(REDIS))
        else:
            self._progress(f"checking Redis at {mask_password(self.redis_url)}")

    def _runs(self, name: str) -> bool:
        """True if the supervisor runs this program; ask only while a supervisor is running."""
        seen = self._files.observed(name)
        return self._files.wanted(name) is not None and seen is not None and seen.pid is not None

    async def down(self) -> None:
        """Stop everything; keep messages and canvases. Idempotent."""
        async with self._turn():
            # Slots first: while they drain, their clients still need the balancer.
            self._progress("draining and stopping the slots")
            await asyncio.gather(*(self.compute.stop(colour) for colour in COLOURS))
            parts = {RELAY: "the relay", BALANCER: "the load balancer", REDIS: "Redis"}
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
        return [line for line in (*found, await self._describe_refused()) if line is not None]

    async def _describe_refused(self) -> str | None:
        try:
            refused = await self.traffic.count_turned_away()
        except EnvironmentFault:
            return None
        if not refused:
            return None
        return (
            f"the load balancer turned away {refused} connections: it accepts at most "
            f"{self._balancer.read_max_sockets()}, because the limit of open files is "
            f"{open_files_limit(self._state_dir)}. Raise the limit (`ulimit -Hn`), then run "
            "`isshoni down` and `isshoni up`"
        )

    async def is_up(self) -> bool:
        """True if the supervisor and the balancer run and a slot is healthy."""
        if supervisor_pid(self._state_dir) is None:
            return False
        try:
            return any((await self.traffic.observe_health()).values())
        except EnvironmentFault:
            return False

    async def _start_redis(self) -> None:
        if self.config.redis_url is not None:
            await check_redis(self.config.redis_url)
            return
        self._port_checks.check_unless_wanted(REDIS)
        password = self._credentials.redis_password
        log = self._files.log_path(REDIS)
        program = redis_program(self.config, self.ports.redis, password, log)
        self._want_configured(REDIS, program)
        await self._wait_ready(REDIS, self._find_redis_trouble)

    async def _examine_redis(self) -> None:
        """Refuse an unfit Redis; if it has served before, only report what is wrong."""
        fresh = not any(self._files.log_path(colour).exists() for colour in COLOURS)
        examined = await examine_redis(self.redis_url, self.config.redis_accept)
        shown = mask_password(self.redis_url)
        if examined.fault is not None:
            raise RedisFault(f"Redis at {shown} cannot serve: {examined.fault}")
        if examined.errors and fresh:
            raise UnfitRedis(shown, [finding.detail for finding in examined.errors])
        for words in (*(finding.detail for finding in examined.errors), *examined.warnings):
            self._progress(f"Redis: {words}")

    async def _find_redis_trouble(self) -> str | None:
        try:
            await check_redis(self.redis_url)
        except RedisFault as fault:
            return str(fault)
        return None

    def _want_configured(self, name: str, program: Program) -> None:
        """Store a program; a changed configuration, which is its label, restarts it."""
        before = self._files.wanted(name)
        if before is not None and not before.label:
            # Started by a version without labels: an upgrade must not restart it.
            program = msgspec.structs.replace(program, label="")
        elif before is not None and before.label != program.label:
            self._progress(f"restarting {name}: its configuration changed")
        self._files.want(name, program)

    async def _start_stable(self, stable: Stable) -> None:
        fresh = self._port_checks.check_unless_wanted(stable.colour)
        self._balancer.write_bootstrap()
        await self.compute.start(stable.colour, stable.release)
        processes = self.compute.list_processes(stable.colour)
        if len(processes) != self.config.process_count:
            self._progress(
                f"{stable.colour} keeps its number of processes, {len(processes)}: `processes` = "
                f"{self.config.process_count} applies to the next release that is deployed"
            )
        try:
            for process in processes:
                await self._start_process(process, stable)
            if stable.release.relay is not None:
                await self._wait_ready(RELAY, lambda: self.relay.find_trouble(stable.colour))
            for side in self.compute.list_side_programs(stable.colour):
                await self._wait_ready(side.program, find_no_trouble)
        except EnvironmentFault:
            if fresh:  # it never served, and would block the next `up`
                await self.compute.stop(stable.colour)
            raise

    async def _start_process(self, process: SlotProcess, stable: Stable) -> None:
        """Apply changed settings to a process, and wait until it is ready."""
        url = f"http://127.0.0.1:{self._port_book.of(process).public}{stable.release.ready_path}"
        renewed = await self._apply_settings(process, url)
        more_seconds = self.config.stop_seconds if renewed else 0.0
        await self._wait_ready(
            process.program, lambda: find_trouble(url), more_seconds=more_seconds
        )

    async def _apply_settings(self, process: SlotProcess, ready_url: str) -> bool:
        """Restart a process whose settings changed; return False if it was not restarted."""
        changed = ", ".join(self.compute.list_changed_settings(process))
        if not changed:
            return False
        name = process.program
        rolling = self.compute.release_on(other(process.colour)) is not None
        if rolling and await find_trouble(ready_url) is None:
            self._progress(
                f"{name} keeps its settings while a rollout runs ({changed} changed): "
                "run `isshoni up` again when it has ended"
            )
            return False
        self._progress(f"restarting {name}: {changed} changed")
        self.compute.apply_settings(process)
        return True

    async def _start_balancer(self, stable: Stable) -> None:
        fresh = self._port_checks.check_unless_wanted(BALANCER)
        if fresh or self._balancer.read_weights() is None:
            # Not if it runs already: a running rollout may have set the weights.
            self._balancer.write_weights(Weights.favouring(stable.colour, 100))
        log = self._files.log_path(BALANCER)
        program = envoy_program(self.config, self._balancer, log)
        self._want_configured(BALANCER, program)

        async def find_balancer_trouble() -> str | None:
            try:
                healthy = (await self.traffic.observe_health())[stable.colour]
            except EnvironmentFault as fault:
                return str(fault)
            return None if healthy else f"{stable.colour} does not pass its health check"

        await self._wait_ready(BALANCER, find_balancer_trouble)

    async def _wait_ready(
        self, name: str, find_trouble: FindTrouble, *, more_seconds: float = 0.0
    ) -> None:
        """Wait until a program is ready; fail early if it keeps dying."""
        try:
            waiter = Waiter(name, self._files, self._progress)
            await waiter.wait(find_trouble, more_seconds=more_seconds)
        except ProgramNotReady:
            seen = self._files.observed(name)
            if seen is None or seen.pid is None:
                self._port_checks.check(name)
            raise

    def _check_ports_of_all(self, stable: Stable) -> None:
        """Raise `PortTaken` if a port is in use, before anything is started."""
        redis = () if self.config.redis_url else (REDIS,)
        for name in (*redis, stable.colour, BALANCER):
            self._port_checks.check_unless_wanted(name)

    def _refuse_other_release(self, stable: Stable) -> None:
        running = self.compute.release_on(stable.colour)
        if running is not None and running != stable.release:
            raise EnvironmentFault(
                f"{stable.colour} runs {running.label} already: deploy {stable.release.label} "
                "instead, or run `isshoni down` first"
            )

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Lock, so that only one `up` or `down` runs at a time."""
        with translate_os_errors(self._state_dir):
            self._files.make_directories()
            lock = self._state_dir / "up.lock"
            async with one_at_a_time(lock, _TURN_PATIENCE_SECONDS, "another `up` or `down`"):
                yield


@contextlib.contextmanager
def translate_os_errors(state_dir: Path) -> Iterator[None]:
    """Raise an `OSError` as an `EnvironmentFault` that names the state directory."""
    try:
        yield
    except OSError as fault:
        raise EnvironmentFault(f"the state directory {state_dir} cannot be used: {fault}") from None
