"""What this machine lets the synthetic users have, and what share of it they took."""

import os
import resource
from pathlib import Path

from isshoni.verify.result import LoadShare
from isshoni.verify.settings import InvalidRun, RunSettings

CLIENTS_PER_WORKER = 2500
"""Above this, one process takes most of a processor."""
MAX_SHARE = 1 / 3
"""Above this share of the machine, what is measured is the users as much as the platform."""
OTHER_FILES = 200
LIVES = 3
"""Connections of a restless user: two lives at a time, and one that is closing."""
_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def count_cores() -> int:
    """Return how many processors this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def choose_workers(clients: int, sessions: int) -> int:
    """Return how many processes `--workers auto` starts."""
    wanted = -(-clients // CLIENTS_PER_WORKER)
    return max(1, min(wanted, count_cores(), sessions))


def check_limits(settings: RunSettings) -> None:
    """Raise `InvalidRun` if the users cannot all have their connections on this machine.

    The soft limit of open files is raised if that is enough; worker processes inherit it.
    """
    _check_ports(settings.clients)
    _check_files(count_files(settings), settings)


def count_files(settings: RunSettings) -> int:
    """Return how many open files one process of the users needs at most."""
    restless = LIVES * (settings.restless + settings.passing)
    # A client that moves has two connections for a moment, and all may move at once.
    return -(-(2 * settings.clients + restless) // settings.workers) + OTHER_FILES


def _check_files(needed: int, settings: RunSettings) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InvalidRun(
            f"{settings.clients:,} clients in {settings.workers} process(es) need {needed:,} open "
            f"files each (two for a client that moves), and `ulimit -Hn` allows {hard:,}: raise it "
            f"(as root: `ulimit -Hn {needed}`), or use more --workers or fewer --clients"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _check_ports(clients: int) -> None:
    try:
        first, last = map(int, _PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return  # Not Linux: the connections themselves will show it.
    if clients > last - first:
        raise InvalidRun(
            f"{clients:,} clients need as many local ports, and this machine has "
            f"{last - first:,} ({_PORT_RANGE}: {first} to {last}): widen the range with "
            "`sysctl net.ipv4.ip_local_port_range`, or use fewer --clients"
        )


def describe_share(settings: RunSettings, cpu_seconds: float, seconds: float) -> LoadShare:
    """Return the users' share of this machine over `seconds` of talking."""
    machine_seconds = seconds * count_cores()
    share = cpu_seconds / machine_seconds if machine_seconds else 0.0
    warning = None
    if share > MAX_SHARE:
        warning = (
            f"The synthetic users took {share:.0%} of this machine: the delivery times and the "
            "seconds of a deploy are theirs as much as the platform's. Use another machine for "
            "them, fewer clients, or lower rates."
        )
    return LoadShare(
        processes=settings.workers,
        whole_clients=settings.full,
        lean_clients=settings.clients - settings.full,
        cpu_seconds=round(cpu_seconds, 3),
        machine_cpu_seconds=round(machine_seconds, 3),
        share=round(share, 4),
        warning=warning,
    )
