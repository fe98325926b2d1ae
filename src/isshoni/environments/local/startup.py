"""Start or repair the parts of a local environment, in their order."""

import datetime
from dataclasses import dataclass
from functools import partial

import msgspec

from isshoni.environments.errors import PortTaken, ProgramNotReady, RedisFault, UnfitRedis
from isshoni.environments.local.awaiting import FindTrouble, Waiter, find_no_trouble
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.envoy import EnvoyTraffic, envoy_program
from isshoni.environments.local.port_allocation import PortBook
from isshoni.environments.local.port_checks import BALANCER, REDIS, PortChecks
from isshoni.environments.local.probing import find_trouble
from isshoni.environments.local.process_names import SlotProcess
from isshoni.environments.local.programs import Program, ProgramFiles
from isshoni.environments.local.redis_server import (
    check_redis,
    examine_redis,
    mask_password,
    redis_program,
)
from isshoni.environments.local.region import Region
from isshoni.environments.local.region_startup import (
    find_link_trouble,
    find_standby_trouble,
)
from isshoni.environments.local.relay import LocalRelay
from isshoni.environments.local.relay_names import name_relay
from isshoni.environments.local.slots import LocalCompute
from isshoni.environments.local.supervision import ensure_supervisor, supervisor_pid
from isshoni.environments.local.tls import describe_certificate, read_certificate
from isshoni.environments.progress import ReportStep
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, Stable, Weights, other


@dataclass(frozen=True)
class Parts:
    """The parts of a local environment that `up` starts, and their files."""

    config: LocalConfig
    ports: Ports
    files: ProgramFiles
    port_book: PortBook
    port_checks: PortChecks
    redis_url: str
    redis_password: str
    balancer: BalancerFiles
    traffic: EnvoyTraffic
    compute: LocalCompute
    relay: LocalRelay
    public_url: str
    region: Region | None = None
    admin_token: str = ""


class Startup:
    """Starts the supervisor, Redis, the stable release and the balancer, if they do not run."""

    def __init__(self, parts: Parts, report: ReportStep) -> None:
        self._parts = parts
        self._report = report

    async def up(self, stable: Stable) -> None:
        """Start or repair every part that does not run; the caller has the lock of `up`."""
        self._refuse_other_release(stable)
        self._check_ports_of_all(stable)
        certificate = read_certificate(self._parts.config, _now())
        if self._parts.compute.release_on(stable.colour) is None:
            self._report(f"preparing {stable.release.label}")
            await self._parts.compute.prepare(stable.release)
        self._announce(
            "the supervisor", runs=supervisor_pid(self._parts.config.state_dir) is not None
        )
        await ensure_supervisor(self._parts.config.state_dir)
        self._announce_redis()
        await self._start_redis()
        await self._examine_redis()
        name = f"{stable.release.label} on {stable.colour}"
        self._announce(name, runs=self._runs(stable.colour))
        await self._start_stable(stable)
        self._announce("the load balancer", runs=self._runs(BALANCER))
        if certificate is not None:
            self._parts.balancer.write_certificate(certificate)
        await self._start_balancer(stable)
        self._report(f"up at {self._parts.public_url}")
        if certificate is not None:
            port = self._parts.config.tls_port
            self._report(f"with TLS at {describe_certificate(certificate, port, _now())}")

    def _announce(self, what: str, *, runs: bool) -> None:
        self._report(f"{what} is running" if runs else f"starting {what}")

    def _announce_redis(self) -> None:
        if self._parts.config.redis_url is None:
            self._announce("Redis", runs=self._runs(REDIS))
        else:
            self._report(f"checking Redis at {mask_password(self._parts.redis_url)}")

    def _runs(self, name: str) -> bool:
        """True if the supervisor runs this program; ask only while a supervisor is running."""
        seen = self._parts.files.observed(name)
        return (
            self._parts.files.wanted(name) is not None and seen is not None and seen.pid is not None
        )

    async def _start_redis(self) -> None:
        if self._parts.config.redis_url is not None:
            await check_redis(self._parts.config.redis_url)
            return
        self._parts.port_checks.check_unless_wanted(REDIS)
        password = self._parts.redis_password
        log = self._parts.files.log_path(REDIS)
        region = self._parts.region
        more_lines = region.configure_redis(password) if region else ""
        program = redis_program(
            self._parts.config, self._parts.ports.redis, password, log, more_lines
        )
        self._want_configured(REDIS, program)
        await self._wait_ready(REDIS, self._find_redis_trouble)

    async def _examine_redis(self) -> None:
        """Refuse an unfit Redis; if it has served before, only report what is wrong."""
        if self._is_standby:  # its Redis takes no writes; that of the other region was examined
            return
        fresh = not any(self._parts.files.log_path(colour).exists() for colour in COLOURS)
        examined = await examine_redis(self._parts.redis_url, self._parts.config.redis_accept)
        shown = mask_password(self._parts.redis_url)
        if examined.fault is not None:
            raise RedisFault(f"Redis at {shown} cannot serve: {examined.fault}")
        if examined.errors and fresh:
            raise UnfitRedis(shown, [finding.detail for finding in examined.errors])
        for words in (*(finding.detail for finding in examined.errors), *examined.warnings):
            self._report(f"Redis: {words}")

    async def _find_redis_trouble(self) -> str | None:
        try:
            await check_redis(self._parts.redis_url)
        except RedisFault as fault:
            return str(fault)
        return await find_link_trouble(self._parts.redis_url) if self._is_standby else None

    @property
    def _is_standby(self) -> bool:
        return self._parts.region is not None and self._parts.region.read_leader() is not None

    def _want_configured(self, name: str, program: Program) -> None:
        """Store a program; a changed configuration, which is its label, restarts it."""
        before = self._parts.files.wanted(name)
        if before is not None and not before.label:
            # Started by a version without labels: an upgrade must not restart it.
            program = msgspec.structs.replace(program, label="")
        elif before is not None and before.label != program.label:
            self._report(f"restarting {name}: its configuration changed")
        self._parts.files.want(name, program)

    async def _start_stable(self, stable: Stable) -> None:
        fresh = self._parts.port_checks.check_unless_wanted(stable.colour)
        self._parts.balancer.write_bootstrap()
        await self._parts.compute.start(stable.colour, stable.release)
        processes = self._parts.compute.list_processes(stable.colour)
        if len(processes) != self._parts.config.process_count:
            self._report(
                f"{stable.colour} keeps its number of processes, {len(processes)}: `processes` = "
                f"{self._parts.config.process_count} applies to the next release that is deployed"
            )
        try:
            for process in processes:
                await self._start_process(process, stable)
            if stable.release.relay is not None:
                await self._wait_for_relays(stable.colour)
            for side in self._parts.compute.list_side_programs(stable.colour):
                await self._wait_ready(side.program, find_no_trouble)
        except EnvironmentFault:
            if fresh:  # it never served, and would block the next `up`
                await self._parts.compute.stop(stable.colour)
            raise

    async def _wait_for_relays(self, colour: Colour) -> None:
        relay = self._parts.relay
        for number in relay.numbers:
            await self._wait_ready(name_relay(number), partial(relay.find_trouble, colour, number))

    async def _start_process(self, process: SlotProcess, stable: Stable) -> None:
        """Apply changed settings to a process, and wait until it is ready."""
        url = f"http://127.0.0.1:{self._parts.port_book.of(process).public}{stable.release.ready_path}"
        renewed = await self._apply_settings(process, url)
        more_seconds = self._parts.config.stop_seconds if renewed else 0.0
        ports = self._parts.port_book.of(process)

        async def find_process_trouble() -> str | None:
            trouble = await find_trouble(url)
            if trouble is None or not self._is_standby:
                return trouble
            return await find_standby_trouble(ports.admin, self._parts.admin_token)

        await self._wait_ready(process.program, find_process_trouble, more_seconds=more_seconds)

    async def _apply_settings(self, process: SlotProcess, ready_url: str) -> bool:
        """Restart a process whose settings changed; return False if it was not restarted."""
        changed = ", ".join(self._parts.compute.list_changed_settings(process))
        if not changed:
            return False
        name = process.program
        rolling = self._parts.compute.release_on(other(process.colour)) is not None
        if rolling and await find_trouble(ready_url) is None:
            self._report(
                f"{name} keeps its settings while a rollout runs ({changed} changed): "
                "run `isshoni up` again when it has ended"
            )
            return False
        self._report(f"restarting {name}: {changed} changed")
        self._parts.compute.apply_settings(process)
        return True

    async def _start_balancer(self, stable: Stable) -> None:
        fresh = self._parts.port_checks.check_unless_wanted(BALANCER)
        if fresh or self._parts.balancer.read_weights() is None:
            # Not if it runs already: a running rollout may have set the weights.
            self._parts.balancer.write_weights(Weights.favouring(stable.colour, 100))
        log = self._parts.files.log_path(BALANCER)
        program = envoy_program(self._parts.config, self._parts.balancer, log)
        self._want_configured(BALANCER, program)

        async def find_balancer_trouble() -> str | None:
            try:
                healthy = (await self._parts.traffic.observe_health())[stable.colour]
            except EnvironmentFault as fault:
                return str(fault)
            if healthy or self._is_standby:
                return None
            return f"{stable.colour} does not pass its health check"

        await self._wait_ready(BALANCER, find_balancer_trouble)

    async def _wait_ready(
        self, name: str, find_trouble: FindTrouble, *, more_seconds: float = 0.0
    ) -> None:
        """Wait until a program is ready; fail early if it keeps dying."""
        try:
            waiter = Waiter(name, self._parts.files, self._report)
            await waiter.wait(find_trouble, more_seconds=more_seconds)
        except ProgramNotReady:
            seen = self._parts.files.observed(name)
            if seen is None or seen.pid is None:
                self._parts.port_checks.check(name)
            raise

    def _check_ports_of_all(self, stable: Stable) -> None:
        """Raise `PortTaken` if a port is in use, before anything is started.

        If anything is meant to run already, a port of the idle slot is only reported: only the
        next deploy needs it, and what has died must come back.
        """
        redis = () if self._parts.config.redis_url else (REDIS,)
        checks, needed = self._parts.port_checks, (*redis, stable.colour, BALANCER)
        begins = all([checks.check_unless_wanted(name) for name in needed])
        try:
            checks.check_unless_wanted(other(stable.colour))
        except PortTaken as fault:
            if begins:
                raise
            self._report(f"the next deploy needs the idle slot: {fault}")

    def _refuse_other_release(self, stable: Stable) -> None:
        running = self._parts.compute.release_on(stable.colour)
        if running is not None and running != stable.release:
            raise EnvironmentFault(
                f"{stable.colour} runs {running.label} already: deploy {stable.release.label} "
                "instead, or run `isshoni down` first"
            )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
