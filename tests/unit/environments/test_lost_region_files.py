"""A region whose files are lost or damaged: the other one must still be able to serve."""

import asyncio
from pathlib import Path

import pytest

from isshoni.cli.config import Config, load_config
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.regions import RegionsContext, with_regions
from isshoni.engine.errors import JournalFault
from isshoni.environments.local.files import DamagedFile
from isshoni.environments.local.region_files import place_region
from isshoni.environments.local.regions import LocalRegions

TWO = "[environments.local.regions.east]\n[environments.local.regions.west]\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "isshoni.toml"
    file.write_text(TWO)
    return load_config(file, {})


def directory_of(config: Config, name: str) -> Path:
    return place_region(config.environments.local, name).state_dir


async def list_regions(opened: RegionsContext) -> list[str]:
    return opened.engine.names


def test_a_failover_needs_no_directory_of_the_lost_region(config: Config) -> None:
    directory_of(config, "west").mkdir(parents=True)
    assert with_regions(config, "local", list_regions) == ["east", "west"]


def test_regions_that_were_never_started_are_no_environment(config: Config) -> None:
    with pytest.raises(NoEnvironment, match="east"):
        with_regions(config, "local", list_regions)


def test_a_damaged_journal_names_its_file_and_what_to_do(config: Config) -> None:
    path = directory_of(config, "east") / "journal.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff is no database" * 100)
    with pytest.raises(JournalFault) as raised:
        with_regions(config, "local", list_regions)
    assert str(path) in str(raised.value)
    assert "move the file away" in str(raised.value)
    path.unlink()
    assert with_regions(config, "local", list_regions) == ["east", "west"]


def test_damaged_ports_of_a_region_name_their_file_and_are_not_replaced(config: Config) -> None:
    path = directory_of(config, "east") / "ports.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"public\xff": 80}')
    with pytest.raises(DamagedFile, match=r"east/ports\.json is damaged"):
        with_regions(config, "local", list_regions)
    assert path.read_bytes() == b'{"public\xff": 80}'
    path.unlink()
    assert with_regions(config, "local", list_regions) == ["east", "west"]


def test_a_journal_that_fails_later_does_not_end_an_observation(config: Config) -> None:
    async def observe() -> str:
        regions = LocalRegions(config.environments.local, config.rollout)
        try:
            regions.parts["east"].journal.close()
            return regions.parts["east"].find_colour()
        finally:
            await regions.aclose()

    assert asyncio.run(observe()) == "blue"
