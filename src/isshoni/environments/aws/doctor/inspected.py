"""The environment that is checked."""

from dataclasses import dataclass

import msgspec

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.errors import OutputsFault
from isshoni.environments.aws.outputs import Outputs


@dataclass(frozen=True)
class Inspected:
    """An environment: its settings, and what its ground published."""

    config: AwsConfig
    api: AwsApi
    outputs: Outputs


class Machines(msgspec.Struct, frozen=True):
    """What the ground publishes about the machines of a slot; other fields are ignored."""

    instance_type: str = ""
    instances_per_colour: int = 0
    max_instances_per_colour: int | None = None
    """None: a slot has a fixed number of machines."""

    @property
    def most(self) -> int:
        """The most machines of a slot."""
        return max(self.instances_per_colour, self.max_instances_per_colour or 0)


async def fetch_machines(inspected: Inspected) -> Machines:
    """Return what the ground published as `/NAME/colours`; raises `EnvironmentFault`."""
    parameter = f"/{inspected.config.name}/colours"
    answer = await inspected.api.call("ssm", "get_parameter", Name=parameter)
    try:
        return msgspec.json.decode(answer["Parameter"]["Value"], type=Machines)
    except msgspec.MsgspecError as fault:
        folder = str(inspected.config.terraform)
        raise OutputsFault(parameter, inspected.api.region, folder, str(fault)) from None
