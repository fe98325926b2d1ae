"""Check what a local environment needs of this machine, without starting one."""

import datetime
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from isshoni.environments.checks import Check
from isshoni.environments.errors import PortTaken
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.envoy import find_envoy
from isshoni.environments.local.files import DamagedFile
from isshoni.environments.local.filesystems import (
    describe_refusal,
    find_filesystem,
    find_network_filesystem,
)
from isshoni.environments.local.left_behind import (
    is_supervised,
    list_bad_ports,
    list_exposed,
    list_stale,
    list_unsupervised,
)
from isshoni.environments.local.open_files import affordable_sockets, open_files_limit
from isshoni.environments.local.port_allocation import check_port_free
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.redis_server import (
    check_redis,
    examine_redis,
    find_redis_server,
    mask_password,
)
from isshoni.environments.local.relay import describe_restarts, describe_version
from isshoni.environments.local.relay_names import RELAY
from isshoni.environments.local.tls import RENEW_WITHIN_DAYS, read_certificate
from isshoni.environments.local.tools import run_tool
from isshoni.plurals import count
from isshoni.rollout.errors import EnvironmentFault

MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 1 << 30
MIN_OPEN_FILES = 4096
Look = Callable[[LocalConfig], Awaitable[Check]]
_FIX = "run `isshoni doctor --fix`"


async def examine(config: LocalConfig) -> list[Check]:
    """Run every check and return the results; a failed check does not stop the others."""
    looks: list[Look] = [
        check_python,
        check_envoy,
        check_redis_server,
        check_state_directory,
        check_filesystem,
        check_disk_space,
        check_open_files,
        check_ports,
        check_chosen_ports,
        check_left_processes,
        check_left_files,
        check_permissions,
        check_relay,
    ]
    if config.tls_certificate is not None:
        looks.append(check_certificate)
    return [await _run(look, config) for look in looks]


async def _run(look: Look, config: LocalConfig) -> Check:
    try:
        return await look(config)
    except DamagedFile as fault:
        return Check("state files", False, f"{fault.path} is damaged", fault.advice)


async def check_python(config: LocalConfig) -> Check:
    """Check the version of Python."""
    del config
    wanted = ".".join(map(str, MIN_PYTHON))
    found = f"Python {platform.python_version()}"
    return Check("python", sys.version_info >= MIN_PYTHON, found, f"install Python {wanted}")


async def check_envoy(config: LocalConfig) -> Check:
    """Check that the load balancer runs on this machine."""
    remedy = "install an Envoy for this machine and set its path as `envoy`"
    return await _check_program("load balancer", lambda: find_envoy(config), remedy)


async def check_redis_server(config: LocalConfig) -> Check:
    """Check that the Redis server runs on this machine."""
    if config.redis_url is not None:
        return await _check_own_redis(config.redis_url, config)
    remedy = "install a redis-server or valkey-server and set its path as `redis_server`"
    return await _check_program("redis", lambda: find_redis_server(config), remedy)


async def _check_own_redis(url: str, config: LocalConfig) -> Check:
    """Check your own Redis as `up` does: reachable, with the needed rights and settings."""
    remedy = "docs/redis.md lists the needed settings and rights"
    try:
        await check_redis(url)
        examined = await examine_redis(url, config.redis_accept)
    except EnvironmentFault as fault:
        return Check("redis", False, str(fault), "start it, or correct `redis_url`")
    if examined.fault is not None:
        return Check("redis", False, f"cannot serve: {examined.fault}", remedy)
    accepted = [f"accepted: {f.detail}" for f in examined.findings if f.level == "accepted"]
    found = [*(finding.detail for finding in examined.errors), *examined.warnings, *accepted]
    detail = f"{examined.version or 'one of your own'} at {mask_password(url)}"
    return Check("redis", not examined.errors, "; ".join([detail, *found]), remedy)


async def check_state_directory(config: LocalConfig) -> Check:
    """Check that the state directory, or the directory it would be created in, is writable."""
    directory = _existing(config.state_dir)
    try:
        with tempfile.TemporaryFile(dir=directory):
            return Check("state directory", True, f"{directory} can be written")
    except OSError as fault:
        remedy = "set `state_dir` to another directory"
        return Check("state directory", False, f"{directory}: {fault}", remedy)


async def check_filesystem(config: LocalConfig) -> Check:
    """Check that file locks work in the state directory, for the journal."""
    directory = _existing(config.state_dir)
    kind = find_network_filesystem(directory)
    if kind is None:
        return Check("filesystem", True, find_filesystem(directory) or "a local one")
    if config.allow_network_filesystem:
        return Check("filesystem", True, f"{kind}, allowed by `allow_network_filesystem`")
    remedy = "set `state_dir` to a directory on a local disk"
    return Check("filesystem", False, describe_refusal(config.state_dir, kind), remedy)


async def check_disk_space(config: LocalConfig) -> Check:
    """Check that there is disk space for data and releases."""
    free = shutil.disk_usage(_existing(config.state_dir)).free
    detail = f"{free / 2**30:.1f} GiB free"
    remedy = f"free at least {MIN_FREE_BYTES >> 30} GiB"
    return Check("disk space", free >= MIN_FREE_BYTES, detail, remedy)


async def check_open_files(config: LocalConfig) -> Check:
    """Check how many sockets a program may have open."""
    limit = open_files_limit(config.state_dir)
    if limit == resource.RLIM_INFINITY:
        return Check("open files", True, "no limit")
    most = count(affordable_sockets(limit), "connection")
    detail = f"{limit} for each program: {most} at once"
    remedy = "raise the hard limit, `ulimit -Hn`, then `isshoni down` and `isshoni up`"
    return Check("open files", limit >= MIN_OPEN_FILES, detail, remedy)


async def check_ports(config: LocalConfig) -> Check:
    """Check that every configured port is free, or used by a program of the environment."""
    if is_supervised(config.state_dir):
        return Check("ports", True, "used by this environment, which is running")
    left = list_unsupervised(config.state_dir)
    taken: list[str] = []
    for name, port in config.ports:
        if _name_user(name) in left:  # named by its own check: stopping it would cut its clients
            continue
        try:
            host = config.plain_host if name == "public" else "127.0.0.1"
            check_port_free(host, port, f"ports.{name}")
        except PortTaken as fault:
            taken.append(f"{port} (ports.{name}) by {fault.holder or 'another program'}")
    if not taken:
        own = f"used by programs of this environment: {', '.join(left)}"
        return Check("ports", True, own if left else "all free")
    return Check(
        "ports", False, f"in use: {', '.join(taken)}", "stop these programs, or set other ports"
    )


def _name_user(port: str) -> str:
    """Return the program that listens on a configured port."""
    return "balancer" if port == "public" else port.removesuffix("_admin")


async def check_chosen_ports(config: LocalConfig) -> Check:
    """Check that the ports that were chosen once are still good, unless they are in use."""
    bad = list_bad_ports(config)
    remedy = f"{_FIX}, which makes `up` choose others"
    return Check("chosen ports", not bad, "; ".join(bad.values()) or "none to replace", remedy)


async def check_certificate(config: LocalConfig) -> Check:
    """Check that the certificate fits its key, and does not end soon."""
    now = datetime.datetime.now(datetime.UTC)
    remedy = "renew it, then run `isshoni up`"
    try:
        certificate = read_certificate(config, now)
    except EnvironmentFault as fault:
        return Check("certificate", False, str(fault), remedy)
    assert certificate is not None
    days = (certificate.ends_at - now).days
    found = f"for {', '.join(certificate.names) or 'no name'}, {days} days left"
    return Check("certificate", days >= RENEW_WITHIN_DAYS, found, remedy)


async def check_permissions(config: LocalConfig) -> Check:
    """Check that no other user of the machine can read secrets or what users wrote."""
    exposed = ", ".join(str(path) for path in list_exposed(config.state_dir))
    detail = f"others may open {exposed}" if exposed else "closed to other users"
    return Check("permissions", not exposed, detail, _FIX)


async def check_left_files(config: LocalConfig) -> Check:
    """Check for files about processes that have ended, and for interrupted writes."""
    stale = ", ".join(path.name for path in list_stale(config.state_dir))
    return Check("left files", not stale, stale or "none", _FIX)


async def check_left_processes(config: LocalConfig) -> Check:
    """Check for programs of the environment that run without a supervisor."""
    if is_supervised(config.state_dir):
        return Check("left processes", True, "the supervisor runs all of them")
    left = list_unsupervised(config.state_dir)
    if not left:
        return Check("left processes", True, "none")
    remedy = f"{_FIX}: a new supervisor finds them (`isshoni up` and `isshoni down` start one too)"
    return Check("left processes", False, f"{', '.join(left)} without a supervisor", remedy)


async def check_relay(config: LocalConfig) -> Check:
    """Check that the relay has not ended of late, which cuts every socket that it has."""
    files = ProgramFiles(config.state_dir)
    wanted = files.wanted(RELAY)
    if wanted is None:
        use = "it starts with the first program that is run by --command"
        return Check("relay", True, use if config.relay else "turned off by `relay = false`")
    ended = describe_restarts(files)
    if ended is not None:
        return Check("relay", False, ended, "look at the end of `isshoni logs relay`")
    other_version = describe_version(files)
    if other_version is not None:
        return Check("relay", False, other_version, "run `isshoni up`")
    limit = open_files_limit(config.state_dir)
    runs = f"runs, isshoni {wanted.label}"
    detail = runs if limit == resource.RLIM_INFINITY else f"{runs}; at most {limit} open files"
    return Check("relay", True, f"{detail}, two for each WebSocket")


async def _check_program(name: str, find: Callable[[], Path], remedy: str) -> Check:
    try:
        path = find()
    except EnvironmentFault as fault:
        return Check(name, False, str(fault), remedy)
    result = await run_tool([str(path), "--version"])
    said = result.last_lines or f"{path} printed nothing"
    return Check(name, result.ok, said, remedy)


def _existing(directory: Path) -> Path:
    """Return the nearest parent directory that exists."""
    return next(path for path in (directory, *directory.absolute().parents) if path.is_dir())
