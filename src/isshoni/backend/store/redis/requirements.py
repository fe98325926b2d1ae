"""Compare a Redis's INFO with what docs/redis.md demands.

Most managed servers refuse CONFIG, but allow INFO, which has what is needed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Level = Literal["error", "warning", "accepted", "unchecked"]
Name = Literal["version", "eviction", "persistence", "replicas", "info", "replication"]
ACCEPTABLE: tuple[Name, ...] = ("eviction", "persistence", "replicas")
"""The findings that an operator may accept by name; a version that is too old is none of them."""
MIN_REDIS = (7, 0)
MIN_VALKEY = (8, 0)

Info = Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """One requirement that a Redis does not meet, or that could not be checked."""

    name: Name
    level: Level
    detail: str
    """A sentence: what was found, what it may cost, and what to do."""


def judge_servers(servers: Sequence[Info | None], accepted: Collection[str] = ()) -> list[Finding]:
    """Return the findings on all primaries, once each; None is a refused INFO."""
    found: dict[tuple[str, str], Finding] = {}
    for info in servers:
        for finding in _judge(info):
            if finding.name in accepted and finding.level in ("error", "warning"):
                finding = replace(finding, level="accepted")
            found.setdefault((finding.name, finding.detail), finding)
    return list(found.values())


def _judge(info: Info | None) -> list[Finding]:
    if info is None:
        words = "its settings could not be checked: give the user of REDIS_URL +info"
        return [Finding("info", "unchecked", words)]
    checks = (_judge_version, _judge_eviction, _judge_persistence, _judge_replicas)
    return [finding for check in checks if (finding := check(info)) is not None]


def describe_version(info: Info) -> str:
    """Return the name and version of a server: "Valkey 9.1.0"."""
    if "valkey_version" in info:  # it also calls itself Redis 7.2
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', '')}"


def _judge_version(info: Info) -> Finding | None:
    name, _, version = describe_version(info).partition(" ")
    minimum = MIN_VALKEY if name == "Valkey" else MIN_REDIS
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if len(numbers) < 2:
        return Finding("version", "unchecked", f"its version {version!r} could not be read")
    if tuple(numbers) >= minimum:
        return None
    wanted = ".".join(map(str, minimum))
    return Finding(
        "version", "error", f"{name} {version} is too old: {name} {wanted} or later is needed"
    )


def _judge_eviction(info: Info) -> Finding | None:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return None
    if policy.startswith("volatile-"):
        detail = f"maxmemory-policy {policy} lets deleted sessions come back when memory is full"
        return Finding("eviction", "warning", f"{detail}: set it to noeviction")
    if info.get("maxmemory", "0") == "0":
        detail = f"maxmemory-policy is {policy}, harmless only while maxmemory is not set"
        return Finding("eviction", "warning", f"{detail}: set it to noeviction")
    detail = f"maxmemory-policy {policy} throws acknowledged messages away when memory is full"
    return Finding("eviction", "error", f"{detail}: set it to noeviction")


def _judge_persistence(info: Info) -> Finding | None:
    if info.get("aof_enabled", "1") != "0":
        return None
    if _count_replicas(info):
        detail = "appendonly is off: acknowledged messages are only in the memory of the replicas"
        return Finding("persistence", "warning", detail)
    detail = "appendonly is off and there is no replica: a restart loses acknowledged messages"
    return Finding("persistence", "error", f"{detail}: set appendonly yes")


def _judge_replicas(info: Info) -> Finding | None:
    if not _count_replicas(info) or "min_slaves_good_slaves" in info:
        return None
    detail = "min-replicas-to-write is 0: a primary that has lost all replicas still accepts writes"
    return Finding("replicas", "warning", f"{detail}, and a failover loses them: set it to 1")


def judge_shortage(shortage: str | None) -> list[Finding]:
    """Return the finding that writes are acknowledged with too few replicas, if they are."""
    if shortage is None:
        return []
    detail = f"writes are acknowledged on {shortage}: a failover now may lose them"
    return [Finding("replication", "warning", f"{detail}; replace the replica")]


def _count_replicas(info: Info) -> int:
    count = info.get("connected_slaves", "0")
    return int(count) if count.isdigit() else 0
