"""The option `--region`."""

from typing import Annotated

import typer

from isshoni.cli.context import read_config
from isshoni.environments.local.config import LocalConfig

RegionOption = Annotated[
    str | None,
    typer.Option("--region", help="A region of the environment: short for `-e local.REGION`."),
]


def name_environment(environment: str, region: str | None) -> str:
    """Return the name of a region's environment: `local.east`; raises a usage error."""
    if region is None:
        return environment
    if environment != "local":
        raise typer.BadParameter(
            f"only `local` has regions, not {environment!r}", param_hint="--region"
        )
    return f"local.{region}"


def find_local_config(region: str | None) -> LocalConfig:
    """Return the configuration of the local environment, or of its region.

    Raises a usage error if it has regions and none is named.
    """
    config = read_config()
    local = config.environments.local
    if region is None and not local.regions:
        return local
    from isshoni.cli.regions import check_region  # slow to load
    from isshoni.environments.local.region_files import place_region

    check_region(config, region or "")
    return place_region(local, region or "")


def has_regions(environment: str) -> bool:
    """True if an environment has regions, and none of them is named."""
    return environment == "local" and bool(read_config().environments.local.regions)


def refuse_deploy_during_failover(environment: str) -> None:
    """Raise `LeaseHeld` or `NothingToDo` if a failover concerns this environment."""
    local = read_config().environments.local
    if environment.startswith("local.") and local.regions:
        from isshoni.cli.regions import check_failover  # slow to load

        check_failover(local)
