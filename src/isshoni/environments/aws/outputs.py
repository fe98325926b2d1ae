"""Parse Terraform's output `isshoni`: the names and ids of what it created."""

from typing import Annotated

import msgspec

from isshoni.environments.aws.errors import OutputsFault
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
    """The output `isshoni` of a composition; unknown fields are ignored."""

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
    admin_port: int = 9101
    """The backends' admin port, which this machine must reach on their private addresses."""


def read_outputs(written: bytes, folder: str) -> Outputs:
    """Parse the result of `terraform output -json isshoni`; raises `OutputsFault`."""
    try:
        return msgspec.json.decode(written, type=Outputs)
    except msgspec.MsgspecError as fault:
        raise OutputsFault(folder, str(fault)) from None
