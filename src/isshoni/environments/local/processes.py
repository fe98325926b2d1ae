"""The processes of the local slots one by one: evacuated and included by Envoy's endpoints."""

from collections.abc import Sequence
from dataclasses import replace

from isshoni.environments.joined_backends import cancel_all, migrate_all
from isshoni.environments.local.backends import LocalBackends
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.envoy import EnvoyTraffic
from isshoni.environments.local.process_names import SlotProcess, parse_process
from isshoni.environments.local.relay import LocalRelay
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Colour, ProcessStatus


class LocalProcesses:
    """Implements the engine's port `Processes`."""

    def __init__(
        self,
        backends: LocalBackends,
        balancer: BalancerFiles,
        traffic: EnvoyTraffic,
        relay: LocalRelay,
    ) -> None:
        self._backends = backends
        self._balancer = balancer
        self._traffic = traffic
        self._relay = relay

    async def observe(self, colour: Colour) -> Sequence[ProcessStatus]:
        """Return the processes of a slot; none if it is empty, or nothing moves its sessions."""
        status = await self._backends.status(colour)
        return status.processes if status else ()

    def mark_evacuated(self, name: str, evacuated: bool) -> None:
        """Write into the balancer's endpoints whether a process gets new connections."""
        process = _parse(name)
        before = self._balancer.read_endpoints(process.colour)
        if process.name not in (each.name for each in before):
            raise EnvironmentFault(f"{process.name} is not one of several processes of its slot")
        after = [
            replace(each, draining=evacuated) if each.name == process.name else each
            for each in before
        ]
        try:
            self._balancer.write_endpoints(process.colour, after)
            self._relay.mark_evacuated(
                process.colour, [("127.0.0.1", each.port) for each in after if each.draining]
            )
        except OSError as fault:
            raise EnvironmentFault(f"cannot write the balancer's endpoints: {fault}") from None

    async def verify_evacuated(self, colour: Colour) -> frozenset[str]:
        """Return the processes that Envoy itself reports as draining."""
        ports = await self._traffic.observe_draining(colour)
        endpoints = self._balancer.read_endpoints(colour)
        return frozenset(each.name for each in endpoints if each.port in ports)

    async def move(
        self,
        name: str,
        to: str,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
    ) -> None:
        """Request a process to move a share of its sessions to a colour or a process."""
        process = _parse(name)
        await migrate_all(
            self._backends.connect(process),
            process.colour,
            to,
            rate_per_second=rate_per_second,
            within_seconds=within_seconds,
            share_pct=share_pct,
        )

    async def cancel(self, name: str) -> None:
        """Request a process to stop moving sessions."""
        process = _parse(name)
        await cancel_all(self._backends.connect(process), process.colour)


def _parse(name: str) -> SlotProcess:
    process = parse_process(name)
    if process is None:
        raise EnvironmentFault(f"there is no process {name!r}: they are called like `green-1`")
    return process
