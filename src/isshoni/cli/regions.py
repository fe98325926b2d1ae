"""The regions of an environment, as commands open them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from isshoni.cli.config import Config
from isshoni.cli.environments import check_region, find_on_aws
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.output import say_step
from isshoni.engine.asked_by import find_asker
from isshoni.engine.failover import FailoverEngine, refuse_during_failover
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.region_environment import RegionEnvironment
from isshoni.environments.local.region_files import (
    find_journal,
    find_shared_directory,
    place_region,
)
from isshoni.environments.local.regions import LocalRegions
from isshoni.rollout.failover.ports import Regions

T = TypeVar("T")


def open_region(config: Config, region: str, *, create: bool) -> RegionEnvironment:
    """Return one region as an environment; raises `NoEnvironment` if it was never started."""
    check_region(config, region)
    local = config.environments.local
    if not create and not place_region(local, region).state_dir.exists():
        raise NoEnvironment(place_region(local, region).state_dir)
    return RegionEnvironment(local, config.rollout, region, say_step)


def check_failover(local: LocalConfig) -> None:
    """Raise `LeaseHeld` or `NothingToDo` if a failover runs, or was left unfinished."""
    path = find_journal(local)
    if path.exists():
        with closing(SqliteFailovers(path)) as journal:
            refuse_during_failover(journal)


@dataclass(frozen=True)
class RegionsContext:
    """Both regions, opened, with the engine of failovers."""

    config: Config
    regions: Regions
    urls: Mapping[str, str]
    """The origin that users of each region open."""
    engine: FailoverEngine


def with_regions(
    config: Config, environment: str, work: Callable[[RegionsContext], Awaitable[T]]
) -> T:
    """Open both regions of an environment, and run a coroutine with them."""
    name, _, region = environment.partition(".")
    if region:
        raise typer.BadParameter(
            f"this is about both regions: `-e {name}` without {region}", param_hint="--environment"
        )
    if name != "local":
        return asyncio.run(_with_aws(config, name, work))
    local = config.environments.local
    if not local.regions:
        check_region(config, "")
    directories = [place_region(local, name).state_dir for name in local.regions]
    # One may be gone with its disk: that is what an emergency is for.
    if not any(each.exists() for each in directories):
        raise NoEnvironment(directories[0])
    return asyncio.run(_with_local(config, work))


async def _with_local(config: Config, work: Callable[[RegionsContext], Awaitable[T]]) -> T:
    local = config.environments.local
    regions = LocalRegions(local, config.rollout, say_step)
    with closing(SqliteFailovers(find_journal(local))) as journal:
        try:
            journals = {name: parts.journal for name, parts in regions.parts.items()}
            engine = FailoverEngine(regions, journal, journals, who=find_asker())
            return await work(RegionsContext(config, regions, regions.urls, engine))
        finally:
            await regions.aclose()


async def _with_aws(config: Config, name: str, work: Callable[[RegionsContext], Awaitable[T]]) -> T:
    from isshoni.environments.aws.region_opening import open_regions  # slow to load
    from isshoni.environments.aws.regions import BOUNDS

    settings = find_on_aws(config, name)
    if not settings.regions:
        check_region(config, "", name)
    opened = await open_regions(settings, say_step)
    try:
        engine = FailoverEngine(
            opened.regions,
            opened.failovers,
            opened.journals,
            who=find_asker(),
            bounds=BOUNDS,
            environment=name,
        )
        return await work(RegionsContext(config, opened.regions, opened.urls, engine))
    finally:
        await opened.regions.aclose()


def find_state_dir(config: Config, environment: str) -> Path:
    """Return the directory on this machine of what belongs to no single region."""
    if environment == "local":
        return find_shared_directory(config.environments.local)
    return find_on_aws(config, environment).state_dir


async def check_failover_on_aws(settings: AwsConfig) -> None:
    """Raise `LeaseHeld` or `NothingToDo` if a failover runs, or was left unfinished."""
    from isshoni.environments.aws.region_opening import open_failovers  # slow to load

    journal = await open_failovers(settings)
    await asyncio.to_thread(refuse_during_failover, journal)
