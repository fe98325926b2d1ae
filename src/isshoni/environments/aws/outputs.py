"""Read the names and ids of what Terraform created: the ground publishes them in a parameter."""

from typing import Annotated

import msgspec

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import NotThere, OutputsFault
from isshoni.rollout.model import Colour

Name = Annotated[str, msgspec.Meta(min_length=1)]


class ByColour(msgspec.Struct, frozen=True):
    """A name for each slot."""

    blue: Name
    green: Name

    def of(self, colour: Colour) -> str:
        """Return the name for `colour`."""
        return self.blue if colour == "blue" else self.green


class Outputs(msgspec.Struct, frozen=True):
    """What the ground publishes for the engine; unknown fields are ignored."""

    region: Name
    public_url: Name
    """The URL that users open."""
    listener_arn: Name
    target_rule_arns: ByColour
    target_group_arns: ByColour
    autoscaling_group_names: ByColour
    log_groups: ByColour
    journal_table: Name
    backend_secret: Name
    """The name of the secret: a JSON object with the backends' environment variables."""
    sns_topic_arn: Name
    alarm_names: tuple[str, ...] = ()
    clusters: ByColour | None = None
    """The ECS clusters; None: published by a ground without ECS."""
    admin_port: int = 9101
    """The backends' admin port, which this machine must reach on their private addresses."""
    deployer_role_arn: str = ""
    load_balancer_group_id: str = ""
    """The load balancer's security group; empty: published by an older ground."""
    alert_emails: tuple[str, ...] = ()
    """The addresses that should get the alarms."""


async def fetch_outputs(api: AwsApi, name: str, folder: str) -> Outputs:
    """Return what the ground in `folder` published as `/NAME/engine`; raises `OutputsFault`."""
    parameter = f"/{name}/engine"
    try:
        answer = await api.call("ssm", "get_parameter", Name=parameter)
    except NotThere:
        raise OutputsFault(parameter, api.region, folder, "it does not exist") from None
    try:
        found = parse_outputs(answer["Parameter"]["Value"])
    except msgspec.MsgspecError as fault:
        raise OutputsFault(parameter, api.region, folder, str(fault)) from None
    if found.region != api.region:
        # The other region's machines would be taken for this one's.
        raise OutputsFault(parameter, api.region, folder, f"it is about {found.region}")
    return found


def parse_outputs(written: str) -> Outputs:
    """Parse the value of the parameter; raises `msgspec.MsgspecError`."""
    return msgspec.json.decode(written, type=Outputs)
