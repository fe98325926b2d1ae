"""What crashes, a full disk or another version left in a state directory."""

import stat
from pathlib import Path

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.port_allocation import (
    find_holder_of,
    is_ephemeral,
    is_free,
    read_chosen,
)
from isshoni.environments.local.process import StillHeld, find_holder, find_observed
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.supervision import supervisor_pid

_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SECRET = ("secrets.json", "programs", "variables", "redis", "logs")
"""What must be readable by its owner only: secrets, and what users wrote."""


def is_supervised(state_dir: Path) -> bool:
    """True if a supervisor runs; False too if the directory cannot be read."""
    try:
        return supervisor_pid(state_dir) is not None
    except OSError:
        return False


def list_unsupervised(state_dir: Path) -> list[str]:
    """Return the programs that run without a supervisor."""
    if is_supervised(state_dir):
        return []
    files = ProgramFiles(state_dir)
    return [name for name in sorted(files.names()) if _is_held(files.lock_path(name))]


def list_stale(state_dir: Path) -> list[Path]:
    """Return files about processes that have ended, and files that were never finished."""
    if is_supervised(state_dir):  # it keeps them up to date
        return []
    files = ProgramFiles(state_dir)
    ended = [
        state_dir / "observed" / f"{name}.json"
        for name in sorted(files.names())
        if files.wanted(name) is None and _has_ended(files, name)
    ]
    unfinished = [
        p for folder in ("observed", "programs") for p in _list_unfinished(state_dir, folder)
    ]
    return [path for path in (*ended, *unfinished) if path.exists()]


def _list_unfinished(state_dir: Path, folder: str) -> list[Path]:
    """Return the temporary files of writes that a crash interrupted."""
    return sorted((state_dir / folder).glob(".*.json.*"))


def list_exposed(state_dir: Path) -> list[Path]:
    """Return secret files and directories that other users of the machine may open."""
    places = [state_dir / name for name in _SECRET]
    return [path for path in places if path.exists() and path.stat().st_mode & _OPEN_TO_OTHERS]


def list_bad_ports(config: LocalConfig) -> dict[str, str]:
    """Return the chosen ports that should be chosen again, each with the reason.

    None while a program of the environment runs: it has them.
    """
    if is_supervised(config.state_dir) or list_unsupervised(config.state_dir):
        return {}
    configured = {name for name, port in config.ports if port}
    found: dict[str, str] = {}
    for name, port in read_chosen(config.state_dir).items():
        if name in configured:
            continue
        if is_ephemeral(port):
            found[name] = f"{port} (ports.{name}) is one that the kernel may use"
        elif not is_free("127.0.0.1", port):
            holder = find_holder_of(port) or "another program"
            found[name] = f"{port} (ports.{name}) is in use by {holder}"
    return found


def _has_ended(files: ProgramFiles, name: str) -> bool:
    seen = files.observed(name)
    return not _is_held(files.lock_path(name)) and (seen is None or find_observed(seen) is None)


def _is_held(lock: Path) -> bool:
    try:
        return find_holder(lock) is not None
    except StillHeld:
        return True
    except OSError:
        return False
