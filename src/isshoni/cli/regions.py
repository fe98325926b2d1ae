"""The regions of the local environment, as commands open them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import typer

from isshoni.cli.config import Config
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.output import say_step
from isshoni.engine.asked_by import find_asker
from isshoni.engine.failover import FailoverEngine, refuse_during_failover
from isshoni.engine.failover_journal import SqliteFailovers
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.region_environment import RegionEnvironment
from isshoni.environments.local.region_files import find_journal, place_region
from isshoni.environments.local.regions import LocalRegions

T = TypeVar("T")


def check_region(config: Config, region: str) -> None:
    """Raise a usage error unless the configuration has this region."""
    names = list(config.environments.local.regions)
    if not names:
        raise typer.BadParameter(
            f"there is no region {region!r}: isshoni.toml names none "
            "(`[environments.local.regions.NAME]`, two of them)",
            param_hint="--environment",
        )
    if region not in names:
        which = f"there is no region {region!r}" if region else "this environment has regions"
        raise typer.BadParameter(
            f"{which}: name one, as in `-e local.{names[0]}` or `-e local.{names[1]}`",
            param_hint="--environment",
        )


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
    regions: LocalRegions
    engine: FailoverEngine


def with_regions(config: Config, work: Callable[[RegionsContext], Awaitable[T]]) -> T:
    """Open both regions, and run a coroutine with them."""
    local = config.environments.local
    if not local.regions:
        check_region(config, "")
    missing = [n for n in local.regions if not place_region(local, n).state_dir.exists()]
    if missing:
        raise NoEnvironment(place_region(local, missing[0]).state_dir)
    return asyncio.run(_with_regions(config, work))


async def _with_regions(config: Config, work: Callable[[RegionsContext], Awaitable[T]]) -> T:
    local = config.environments.local
    regions = LocalRegions(local, config.rollout, say_step)
    with closing(SqliteFailovers(find_journal(local))) as journal:
        try:
            journals = {name: parts.journal for name, parts in regions.parts.items()}
            engine = FailoverEngine(regions, journal, journals, who=find_asker())
            return await work(RegionsContext(config, regions, engine))
        finally:
            await regions.aclose()
