"""The port `Backends` on one machine: asks every process of a slot, and joins the answers."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from isshoni.environments.backend_api import (
    ONE_OF_SEVERAL_SECONDS,
    STATUS_TIMEOUT_SECONDS,
    HttpBackends,
)
from isshoni.environments.counters import GrowingCounters
from isshoni.environments.joined_backends import ask_all, cancel_all, migrate_all, prove_all
from isshoni.environments.joined_status import join_statuses
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.port_allocation import PortBook
from isshoni.environments.local.probing import find_trouble
from isshoni.environments.local.process_names import SlotProcess, parse_process
from isshoni.environments.local.relay import LocalRelay
from isshoni.environments.local.slots import LocalCompute
from isshoni.environments.local.websocket_probe import find_websocket_trouble
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import (
    COLOURS,
    BackendStatus,
    Colour,
    ProcessStatus,
    Proof,
    Release,
)


class LocalBackends:
    """Asks the admin ports of the processes of both slots."""

    def __init__(
        self,
        compute: LocalCompute,
        ports: PortBook,
        balancer: BalancerFiles,
        relay: LocalRelay,
        token: str,
    ) -> None:
        self._compute = compute
        self._relay = relay
        self._ports = ports
        self._balancer = balancer
        self._token = token
        self._counters = {colour: GrowingCounters() for colour in COLOURS}
        self._relay_counters = {colour: GrowingCounters() for colour in COLOURS}

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Return the joined status of a slot's processes; None if none of them answers."""
        release = self._compute.release_on(colour)
        if release is None or not release.can_move_clients:
            return None
        if not release.speaks_admin_api:
            return await self._ask_relay(colour, release)
        processes = self._find(colour)
        found = await ask_all(processes, colour)
        joined = join_statuses(found, self._counters[colour])
        if joined is None:
            return None
        described = tuple(self._complete(each) for each in joined.processes)
        alone = found[described[0].name] if len(described) == 1 else None
        return replace(alone or joined, processes=described)

    async def _ask_relay(self, colour: Colour, release: Release) -> BackendStatus | None:
        """Return what the relays report of a slot; the release itself reports nothing."""
        found, processes = await asyncio.gather(
            ask_all(self._connect_relays(colour), colour), self._ask_processes(colour)
        )
        joined = join_statuses(found, self._relay_counters[colour])
        if joined is None:
            return None
        if len(found) == 1:
            joined = next(filter(None, found.values()))
        described = tuple(
            replace(self._complete(each), version=None if each.version is None else release.label)
            for each in processes
        )
        return replace(joined, version=release.label, relayed=True, processes=described)

    async def _ask_processes(self, colour: Colour) -> Sequence[ProcessStatus]:
        """Return what the relays report of each process of a slot; none if none answers."""
        processes = self._list_processes(colour)
        asked = (ask_all(self.connect(each), colour) for each in processes)
        answers = await asyncio.gather(*asked)
        by_name = {each.name: a for each, a in zip(processes, answers, strict=True)}
        found = {name: _join_answers(answer) for name, answer in by_name.items()}
        joined = join_statuses(found, GrowingCounters())
        if joined is None:
            return ()
        # A relay that is silent may have clients of the process: it cannot count as empty.
        silent = {name for name, answer in by_name.items() if None in answer.values()}
        return [replace(p, version=None) if p.name in silent else p for p in joined.processes]

    def _complete(self, status: ProcessStatus) -> ProcessStatus:
        """Add what only the supervisor and the balancer know of a process."""
        process = parse_process(status.name)
        assert process is not None
        seen = self._compute.observe_process(process)
        draining = {
            each.name for each in self._balancer.read_endpoints(process.colour) if each.draining
        }
        return replace(
            status,
            pid=seen.pid if seen else status.pid,
            restarts=seen.restarts if seen else 0,
            evacuated=status.name in draining,
        )

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Ask every process for its proof; return the first that fails, if any.

        A program behind the relay proves that it is ready through the relay.
        """
        release = self._compute.release_on(colour)
        if release is not None and not release.speaks_admin_api:
            return await self._prove_relayed(colour, release)
        try:
            return await prove_all(self._find(colour), colour, session_ids)
        except EnvironmentFault as fault:
            return Proof(redis=False, sampled=0, readable=0, fault=str(fault))

    async def _prove_relayed(self, colour: Colour, release: Release) -> Proof:
        for number in self._relay.numbers:
            port = self._relay.ports_of(colour, number).public
            fault = await find_trouble(f"http://127.0.0.1:{port}{release.ready_path}")
            if fault is not None:
                return Proof(redis=False, sampled=0, readable=0, fault=fault)
        shown = f"{release.ready_path} answers through the relay"
        path = release.relay.probe_path if release.relay is not None else None
        if path is not None:
            fault = await self._probe(colour, path)
            if fault is not None:
                return Proof(redis=False, sampled=0, readable=0, fault=fault)
            shown += f", and {path} opens a WebSocket"
        return Proof(redis=True, sampled=0, readable=0, shown=shown)

    async def _probe(self, colour: Colour, path: str) -> str | None:
        """Return why a process of a slot opens no WebSocket; None if each does.

        Not through the relay: there a probe would count as a client of the candidate.
        """
        processes = self._list_processes(colour)
        ports = [self._ports.of(each).public for each in processes]
        faults = await asyncio.gather(*(find_websocket_trouble(port, path) for port in ports))
        for process, fault in zip(processes, faults, strict=True):
            if fault is not None:
                return f"{process.name}: {fault}" if len(processes) > 1 else fault
        return None

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
        close_over_seconds: float = 0.0,
    ) -> None:
        """Request every process to move a share of its sessions; together they keep the rate."""
        await migrate_all(
            self._find(colour),
            colour,
            to,
            rate_per_second=rate_per_second,
            within_seconds=within_seconds,
            share_pct=share_pct,
            close_over_seconds=close_over_seconds if self._is_relayed(colour) else 0.0,
        )

    async def cancel_migration(self, colour: Colour) -> None:
        """Request every process to stop moving sessions."""
        await cancel_all(self._find(colour), colour)

    def connect(self, process: SlotProcess) -> dict[str, HttpBackends]:
        """Return the admin API of one process; behind relays, that of each of them for it."""
        if self._is_relayed(process.colour):
            return self._connect_relays(process.colour, process.name)
        several = len(self._compute.list_processes(process.colour)) > 1
        url = f"http://127.0.0.1:{self._ports.of(process).admin}"
        return {process.name: self._connect(process.colour, url, several=several)}

    def _connect_relays(self, colour: Colour, process: str = "") -> dict[str, HttpBackends]:
        admins = self._relay.admins_of(colour)
        return {
            name: self._connect(colour, url, process, several=len(admins) > 1)
            for name, url in admins.items()
        }

    def _connect(
        self, colour: Colour, url: str, process: str = "", *, several: bool
    ) -> HttpBackends:
        seconds = ONE_OF_SEVERAL_SECONDS if several else STATUS_TIMEOUT_SECONDS
        return HttpBackends({colour: url}, self._token, self._can_move_clients, seconds, process)

    def _list_processes(self, colour: Colour) -> Sequence[SlotProcess]:
        return self._compute.list_processes(colour) or [SlotProcess(colour)]

    def _find(self, colour: Colour) -> dict[str, HttpBackends]:
        if self._is_relayed(colour):
            return self._connect_relays(colour)
        processes = map(self.connect, self._list_processes(colour))
        return {name: admin for each in processes for name, admin in each.items()}

    def _is_relayed(self, colour: Colour) -> bool:
        release = self._compute.release_on(colour)
        return release is not None and not release.speaks_admin_api

    def _can_move_clients(self, colour: Colour) -> bool:
        release = self._compute.release_on(colour)
        return release is not None and release.can_move_clients


def _join_answers(answers: Mapping[str, BackendStatus | None]) -> BackendStatus | None:
    """Return what the relays that answer report of one process; None if none does."""
    return join_statuses({n: s for n, s in answers.items() if s is not None}, GrowingCounters())
