"""Find an environment in the configuration by its name, `production` or `local.east`."""

from collections.abc import Mapping

import typer

from isshoni.cli.config import Config
from isshoni.environments.aws.config import AwsConfig, place_region


def find_on_aws(config: Config, name: str) -> AwsConfig:
    """Return the settings of an environment on AWS; raises `typer.BadParameter`."""
    named = config.environments.on_aws
    if name not in named:
        raise typer.BadParameter(
            f"there is no environment {name!r}, only: {', '.join(['local', *named])} "
            f'(to add it, write `[environments.{name}]` with `kind = "aws"` into isshoni.toml)',
            param_hint="--environment",
        )
    return named[name]


def place_on_aws(config: Config, environment: str) -> AwsConfig:
    """Return the settings of an environment on AWS, or of one of its two regions.

    Raises a usage error if it has regions and none is named.
    """
    name, _, region = environment.partition(".")
    settings = find_on_aws(config, name)
    if not region and not settings.regions:
        return settings
    check_region(config, region, name)
    return place_region(settings, region)


def check_region(config: Config, region: str, environment: str = "local") -> None:
    """Raise a usage error unless an environment has this region; without one, it names both."""
    regions: Mapping[str, object] = (
        config.environments.local.regions
        if environment == "local"
        else find_on_aws(config, environment).regions
    )
    names = list(regions)
    if not names:
        which = f"there is no region {region!r}" if region else f"{environment!r} has no regions"
        raise typer.BadParameter(
            f"{which}: isshoni.toml names none "
            f"(`[environments.{environment}.regions.NAME]`, two of them)",
            param_hint="--environment",
        )
    if region not in names:
        which = f"there is no region {region!r}" if region else "this environment has regions"
        raise typer.BadParameter(
            f"{which}: name one, as in `-e {environment}.{names[0]}` or "
            f"`-e {environment}.{names[1]}`",
            param_hint="--environment",
        )
