"""Repair what `isshoni doctor` found, where that is safe: nothing that users wrote is touched."""

import stat
from collections.abc import Awaitable, Callable, Collection, Mapping

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.left_behind import (
    list_bad_ports,
    list_exposed,
    list_stale,
    list_unsupervised,
)
from isshoni.environments.local.port_allocation import forget_chosen
from isshoni.environments.local.supervision import ensure_supervisor

Repair = Callable[[LocalConfig, bool], Awaitable[list[str]]]
"""Repairs one kind of fault, unless it is a dry run; returns a sentence for each repair."""

_PROMISE = {False: "", True: "would have "}


async def repair(config: LocalConfig, failed: Collection[str], *, dry_run: bool) -> list[str]:
    """Repair the checks that failed, and return a sentence for each repair."""
    return [
        words
        for check, mend in _REPAIRS.items()
        if check in failed
        for words in await mend(config, dry_run)
    ]


async def _close_to_others(config: LocalConfig, dry_run: bool) -> list[str]:
    paths = list_exposed(config.state_dir)
    if not dry_run:
        for path in paths:
            path.chmod(path.stat().st_mode & stat.S_IRWXU)
    return [f"{_say(dry_run, 'made')} {path} readable by its owner only" for path in paths]


async def _start_supervisor(config: LocalConfig, dry_run: bool) -> list[str]:
    names = list_unsupervised(config.state_dir)
    if names and not dry_run:
        await ensure_supervisor(config.state_dir)
    found = ", ".join(names)
    started = f"{_say(dry_run, 'started')} the supervisor, which adopts or ends: {found}"
    return [started] if names else []


async def _remove_stale(config: LocalConfig, dry_run: bool) -> list[str]:
    paths = list_stale(config.state_dir)
    if not dry_run:
        for path in paths:
            path.unlink(missing_ok=True)
    return [f"{_say(dry_run, 'removed')} {path}" for path in paths]


async def _choose_other_ports(config: LocalConfig, dry_run: bool) -> list[str]:
    bad = list_bad_ports(config)
    if not dry_run:
        forget_chosen(config.state_dir, bad.keys())
    return [f"{_say(dry_run, 'forgot')} port {why}: `up` chooses another" for why in bad.values()]


def _say(dry_run: bool, done: str) -> str:
    return f"{_PROMISE[dry_run]}{done}"


_REPAIRS: Mapping[str, Repair] = {
    "permissions": _close_to_others,
    "left processes": _start_supervisor,
    "left files": _remove_stale,
    "chosen ports": _choose_other_ports,
}
"""The repair of each check that has one, by the check's name."""
