"""Which role works in a region: each of two regions has a deployer of its own."""

import asyncio
import re

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig

_ASSUMED = re.compile(r"arn:([a-z-]+):sts::(\d{12}):assumed-role/([^/]+)/.+")


async def choose_role(config: AwsConfig) -> AwsConfig:
    """Return a region's configuration with the role that works there; raises `AwsFault`.

    The deployer of the other region may assume that of this one; all other credentials are used
    as they are.
    """
    if config.role_arn:
        return config
    api = AwsApi(config.region)
    await asyncio.to_thread(api.connect, "sts")
    caller = str((await api.call("sts", "get_caller_identity"))["Arn"])
    return config.model_copy(update={"role_arn": find_deployer(config, caller)})


def find_deployer(config: AwsConfig, caller: str) -> str:
    """Return the deployer of a region for that of the other region; else an empty text."""
    match = _ASSUMED.fullmatch(caller)
    if match is None:
        return ""
    partition, account, role = match.groups()
    name, is_deployer, region = role.rpartition("-deployer-")
    if not is_deployer or name != config.name or region == config.region:
        return ""
    return f"arn:{partition}:iam::{account}:role/{name}-deployer-{config.region}"
