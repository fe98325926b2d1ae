"""The option `--region`."""

from typing import Annotated

import typer

from isshoni.cli.context import read_config, run
from isshoni.cli.environments import check_region, find_on_aws
from isshoni.environments.local.config import LocalConfig

RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region", help="A region of the environment: short for `-e ENVIRONMENT.REGION`."
    ),
]


def name_environment(environment: str, region: str | None) -> str:
    """Return the name of a region's environment: `local.east`; raises a usage error."""
    if region is None:
        return environment
    if "." in environment:
        raise typer.BadParameter(f"{environment} names a region already", param_hint="--region")
    return f"{environment}.{region}"


def has_regions(environment: str) -> bool:
    """True if a name is that of an environment with two regions, and of neither of them."""
    return bool(list_regions(environment))


def list_regions(environment: str) -> list[str]:
    """Return the regions of an environment; none if a name is that of one of them."""
    environments = read_config().environments
    if environment == "local":
        return list(environments.local.regions)
    its = environments.on_aws.get(environment)
    return [] if its is None else list(its.regions)


def find_local_config(region: str | None) -> LocalConfig:
    """Return the configuration of the local environment, or of its region.

    Raises a usage error if it has regions and none is named.
    """
    config = read_config()
    local = config.environments.local
    if region is None and not local.regions:
        return local
    from isshoni.environments.local.region_files import place_region

    check_region(config, region or "")
    return place_region(local, region or "")


def refuse_deploy_during_failover(environment: str) -> None:
    """Raise `LeaseHeld` or `NothingToDo` if a failover concerns this environment."""
    name, _, region = environment.partition(".")
    if not region or not has_regions(name):
        return
    from isshoni.cli.regions import check_failover, check_failover_on_aws  # slow to load

    if name == "local":
        check_failover(read_config().environments.local)
    else:
        run(check_failover_on_aws(find_on_aws(read_config(), name)))
