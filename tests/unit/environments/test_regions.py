"""The files of local regions: configuration, shared secrets, what a Redis follows."""

from contextlib import closing
from pathlib import Path

import pytest

from isshoni.cli.config import load_config
from isshoni.cli.errors import ConfigError
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.engine.lease import describe_self
from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.port_allocation import read_chosen
from isshoni.environments.local.region import Region
from isshoni.environments.local.region_environment import RegionEnvironment
from isshoni.environments.local.region_files import (
    find_journal,
    find_origins,
    place_region,
    read_switch,
    share_credentials,
    write_switch,
)
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import Failover
from isshoni.rollout.model import Release
from isshoni.rollout.plan import RolloutPlan

TWO = "[environments.local.regions.east]\n[environments.local.regions.west]\n"


def read(directory: Path, text: str) -> LocalConfig:
    file = directory / "isshoni.toml"
    file.write_text(text)
    return load_config(file, {}).environments.local


def test_each_region_has_a_directory_of_its_own_and_free_ports(tmp_path: Path) -> None:
    config = read(tmp_path, TWO)
    east = place_region(config, "east")
    assert east.state_dir == tmp_path / ".isshoni" / "regions" / "east"
    assert set(dict(east.ports).values()) == {0}
    assert east.regions == {}


def test_no_region_is_asked_to_require_replicas_of_its_redis(tmp_path: Path) -> None:
    config = read(tmp_path, '[environments.local]\nredis_accept = ["persistence"]\n' + TWO)
    assert set(place_region(config, "east").redis_accept) == {"persistence", "replicas"}


def test_a_directory_of_a_region_is_relative_to_the_file(tmp_path: Path) -> None:
    text = '[environments.local.regions.east]\nstate_dir = "e"\n[environments.local.regions.west]\n'
    assert place_region(read(tmp_path, text), "east").state_dir == tmp_path / "e"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[environments.local.regions.east]\n", "there must be two regions, not 1"),
        (TWO + "[environments.local.regions.north]\n", "there must be two regions, not 3"),
        (TWO.replace("east", "blue"), "'blue' is not a name of a region"),
        (TWO.replace("east", "East"), "'East' is not a name of a region"),
        (
            "[environments.local.regions.east.ports]\npublic = 9000\n"
            "[environments.local.regions.west.ports]\nredis = 9000\n",
            "redis of a region has port 9000, as public of the other",
        ),
        (
            TWO.replace("[environments.local.regions.west]\n", "") + "url = 'west.example.org'\n"
            "[environments.local.regions.west]\n",
            "url",
        ),
        ('[environments.local]\nredis_url = "redis://x"\n' + TWO, "redis_url and regions"),
    ],
)
def test_a_bad_region_is_refused_with_its_value(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as fault:
        read(tmp_path, text)
    assert words in str(fault.value)


def test_both_regions_have_ports_and_origins_of_their_own(tmp_path: Path) -> None:
    config = read(tmp_path, TWO.replace("west]", 'west]\nurl = "https://west.example.org"'))
    assert find_origins(config) == find_origins(config)
    assert find_origins(config)["west"] == "https://west.example.org"
    ports = [
        set(read_chosen(place_region(config, name).state_dir).values()) for name in config.regions
    ]
    assert len(ports[0] | ports[1]) == len(ports[0]) + len(ports[1])


def test_both_regions_get_the_same_secrets(tmp_path: Path) -> None:
    config = read(tmp_path, TWO)
    share_credentials(config)
    share_credentials(config)
    east, west = (load_credentials(place_region(config, name).state_dir) for name in config.regions)
    assert east == west


def test_a_region_that_exists_passes_its_secrets_on(tmp_path: Path) -> None:
    config = read(tmp_path, TWO)
    state_dir = place_region(config, "west").state_dir
    state_dir.mkdir(parents=True)
    own = load_credentials(state_dir)
    share_credentials(config)
    assert load_credentials(place_region(config, "east").state_dir) == own


def test_regions_with_different_secrets_are_refused(tmp_path: Path) -> None:
    config = read(tmp_path, TWO)
    for name in config.regions:
        state_dir = place_region(config, name).state_dir
        state_dir.mkdir(parents=True)
        load_credentials(state_dir)
    with pytest.raises(EnvironmentFault, match="both regions need the same secrets"):
        share_credentials(config)


def test_what_a_redis_follows_is_kept_apart_from_its_configuration(tmp_path: Path) -> None:
    region = Region("west", tmp_path, ("http://east.example.org",))
    before = region.configure_redis("secret")
    assert region.read_leader() is None
    region.write_leader(("127.0.0.1", 7000))
    assert region.read_leader() == ("127.0.0.1", 7000)
    assert region.configure_redis("secret") == before, "`up` would restart Redis"
    region.write_leader(None)
    assert region.read_leader() is None


def test_the_region_that_users_are_sent_to_is_kept(tmp_path: Path) -> None:
    config = read(tmp_path, TWO)
    share_credentials(config)
    assert read_switch(config) is None
    write_switch(config, "west")
    assert read_switch(config) == "west"
    for content in (b"{", b'{"region": "\xff"}', b'{"\xff": "west"}', b"[]"):
        (tmp_path / ".isshoni" / "regions" / "active.json").write_bytes(content)
        with pytest.raises(EnvironmentFault, match="is damaged"):
            read_switch(config)


def region_of(config: LocalConfig, name: str) -> Region:
    return Region(name, place_region(config, name).state_dir, ())


def store_data(region: Region) -> Path:
    data = region.state_dir / "redis" / "appendonlydir"
    data.mkdir(parents=True, exist_ok=True)
    (data / "appendonly.aof.manifest").write_text("")
    return data


def find_guard(region: Region) -> Path | None:
    text = (region.state_dir / "redis" / "replication.conf").read_text()
    return next((Path(line.split()[1]) for line in text.splitlines() if "include" in line), None)


def test_a_redis_that_leads_does_not_start_without_its_data(tmp_path: Path) -> None:
    region = Region("east", tmp_path, ())
    region.configure_redis("secret")
    assert find_guard(region) is None, "the first start has no data yet"
    data = store_data(region)
    region.write_leader(None)
    guard = find_guard(region)
    assert guard is not None and guard.parent == data and guard.exists()
    assert region.read_leader() is None
    region.write_leader(("127.0.0.1", 7000))
    assert find_guard(region) is None, "a replica copies its data again"


def opened(config: LocalConfig, name: str) -> RegionEnvironment:
    return RegionEnvironment(config, RolloutPlan(), name)


async def test_the_first_region_leads(tmp_path: Path) -> None:
    config = read(tmp_path, TWO)
    await opened(config, "east")._choose_role()
    assert region_of(config, "east").has_role


async def test_a_region_that_lost_its_data_does_not_replace_the_copy_by_nothing(
    tmp_path: Path,
) -> None:
    config = read(tmp_path, TWO)
    east, west = region_of(config, "east"), region_of(config, "west")
    write_switch_of(config, "east")
    west.write_leader(("127.0.0.1", 7000))
    store_data(west)
    with pytest.raises(EnvironmentFault, match="data of east is gone, and west has a copy"):
        await opened(config, "east")._choose_role()
    store_data(east)
    await opened(config, "east")._choose_role()


def write_switch_of(config: LocalConfig, name: str) -> None:
    share_credentials(config)
    write_switch(config, name)


async def test_without_the_switch_a_region_that_lost_its_role_does_not_lead(
    tmp_path: Path,
) -> None:
    config = read(tmp_path, TWO)
    east, west = region_of(config, "east"), region_of(config, "west")
    share_credentials(config)
    east.write_leader(None)
    west.write_leader(("127.0.0.1", 7000))
    store_data(east)
    store_data(west)
    assert [opened(config, name)._find_serving() for name in config.regions] == [None, "east"]
    west.write_leader(None)
    for name in config.regions:
        with pytest.raises(EnvironmentFault, match=r"both regions led once.*active\.json"):
            opened(config, name)._find_serving()


async def test_without_the_switch_the_last_failover_names_the_region_that_serves(
    tmp_path: Path,
) -> None:
    config = read(tmp_path, TWO)
    share_credentials(config)
    for name in config.regions:
        region_of(config, name).write_leader(None)
        store_data(region_of(config, name))
    lasting = Failover("f1", "emergency", "east", "west", 1.0, outcome="promoted")
    with closing(SqliteFailovers(find_journal(config))) as journal:
        holder = describe_self("test", 1.0)
        lease = journal.take_lease(holder, now=1.0, ttl_seconds=60)
        journal.save_failover(lasting, [], lease=lease, revision=0)
    assert [opened(config, name)._find_serving() for name in config.regions] == ["west", "west"]


async def test_a_program_that_cannot_stand_by_is_refused(tmp_path: Path) -> None:
    east = opened(read(tmp_path, TWO), "east")
    with pytest.raises(ReleaseFault, match=r"v1 runs by --command.*cannot stand by"):
        await east.compute.resolve(Release("v1", command="uvicorn app:app --port {port}"))
