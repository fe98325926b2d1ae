"""Settings of the two regions of an environment on AWS."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from isshoni.rollout.plan import Settings

ROLE_ARN = r"^(arn:[a-z-]+:iam::\d{12}:role/\S+)?$"
REGION_NAME = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


class AwsRegionConfig(Settings):
    """Settings of one region, by its name on AWS; all others are those of the environment."""

    terraform: Path
    """The folder of its Terraform composition, relative to the configuration file."""
    backend: Mapping[str, str] = {}
    """Settings of Terraform's state backend: `bucket`, `region`, `kms_key_id`."""
    url: Annotated[str, Field(pattern=r"^https?://[^/\s,]+$")] | None = None
    """The origin of this region only; None: `https://REGION.DOMAIN`."""
    role_arn: Annotated[str, Field(pattern=ROLE_ARN)] = ""
    """The role for calls and Terraform in this region; empty: its deployer's, if the caller is the
    deployer of the other region, and else the caller's own credentials."""


def check_regions(regions: Mapping[str, AwsRegionConfig]) -> None:
    """Raise `ValueError` unless there are no regions, or two that share nothing."""
    for name in regions:
        if not REGION_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an AWS region, like `eu-west-1`")
    if len(regions) not in (0, 2):
        raise ValueError(f"there must be two regions, not {len(regions)}: {', '.join(regions)}")
    if not regions:
        return
    first, second = regions.values()
    for what in ("terraform", "url"):
        mine = getattr(first, what)
        if mine is not None and mine == getattr(second, what):
            raise ValueError(f"both regions have the {what} {mine}; each needs its own")
