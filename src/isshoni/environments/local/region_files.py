"""What two local regions share: where each is, their secrets, and where new users are sent."""

import os
from contextlib import closing
from pathlib import Path

import msgspec

from isshoni.engine.failover import find_unfinished
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.environments.local.addresses import find_addresses
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.files import read_json, write_atomically, write_json
from isshoni.environments.local.port_allocation import allocate_ports
from isshoni.environments.local.rollout_watch import AttendedRegion
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import Failover

_SECRETS = "secrets.json"
_SWITCH_ADVICE = 'write {"region": "NAME"} into it, with the region that serves'


class _Switch(msgspec.Struct):
    region: str


def find_shared_directory(config: LocalConfig) -> Path:
    """Return the directory of what belongs to no single region: journal, secrets, switch."""
    return config.state_dir / "regions"


def place_region(config: LocalConfig, name: str) -> LocalConfig:
    """Return the configuration of one region, as that of an environment of its own."""
    its = config.regions[name]
    state_dir = its.state_dir or find_shared_directory(config) / name
    changes = {
        "state_dir": state_dir.absolute(),
        "ports": its.ports,
        "regions": {},
        # The only replica is the standby: with `min-replicas-to-write` a failover could not open
        # the new region, as the old one follows it only then.
        "redis_accept": tuple({*config.redis_accept, "replicas"}),
    }
    return config.model_copy(update=changes)


def find_origins(config: LocalConfig) -> dict[str, str]:
    """Return the origin that the users of each region open."""
    origins: dict[str, str] = {}
    reserved: set[int] = set()
    for name, its in config.regions.items():
        placed = place_region(config, name)
        placed.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        ports = allocate_ports(placed, reserved)
        reserved |= set(dict(ports).values())
        origins[name] = its.url or find_addresses(placed.host, ports).public
    return origins


def share_credentials(config: LocalConfig) -> None:
    """Copy the same secrets to both regions; raises `EnvironmentFault` if they have others.

    A region that exists already passes its own on.
    """
    shared = find_shared_directory(config)
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [place_region(config, name).state_dir for name in config.regions]
    kept = [place / _SECRETS for place in places if (place / _SECRETS).exists()]
    if kept and not (shared / _SECRETS).exists():
        write_atomically(shared / _SECRETS, kept[0].read_bytes())
    credentials = load_credentials(shared)
    for place in places:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (place / _SECRETS).exists():
            write_atomically(place / _SECRETS, msgspec.json.encode(credentials))
        elif load_credentials(place) != credentials:
            raise EnvironmentFault(
                f"{place / _SECRETS} differs from {shared / _SECRETS}: both regions need the same "
                "secrets, so that tickets and tokens of one are good in the other. Copy the file "
                "of the region that serves over the other, then `isshoni up` there"
            )


def find_switch(config: LocalConfig) -> Path:
    """Return the path of the file that names the region that new users are sent to."""
    return find_shared_directory(config) / "active.json"


def read_switch(config: LocalConfig) -> str | None:
    """Return the region that new users are sent to; None if that was never set."""
    stored = read_json(find_switch(config), _Switch, _SWITCH_ADVICE)
    return stored.region if stored is not None and stored.region in config.regions else None


def find_journal(config: LocalConfig) -> Path:
    """Return the path of the journal of failovers."""
    return find_shared_directory(config) / "failovers.sqlite"


def read_unfinished(config: LocalConfig) -> Failover | None:
    """Return the failover that is running or stuck; None if there is none."""
    path = find_journal(config)
    if not path.exists():
        return None
    with closing(SqliteFailovers(path)) as journal:
        saved = find_unfinished(journal)
    return None if saved is None else saved.failover


def find_last_promoted(config: LocalConfig) -> str | None:
    """Return the region that the last failover promoted; None if the journal names none."""
    path = find_journal(config)
    if not path.exists():
        return None
    with closing(SqliteFailovers(path)) as journal:
        targets = [
            each.target for each in journal.list_failovers(100) if each.outcome == "promoted"
        ]
    return targets[0] if targets and targets[0] in config.regions else None


def write_switch(config: LocalConfig, name: str) -> None:
    """Store the region that new users are sent to; raises `EnvironmentFault`."""
    try:
        write_json(find_switch(config), {"region": name})
    except OSError as fault:
        words = os.strerror(fault.errno) if fault.errno else str(fault)
        raise EnvironmentFault(f"cannot store which region serves: {words}") from None


def find_attended(local: LocalConfig, state_dir: Path) -> AttendedRegion | None:
    """Return the region whose state directory this is; None if it is of none."""
    whole = str(local.state_dir.absolute())
    for name in local.regions:
        if place_region(local, name).state_dir == state_dir:
            return AttendedRegion(f"local.{name}", whole)
    return None
