"""What Terraform made, by the names that AWS knows it by: its output `isshoni`."""

from typing import Annotated

import msgspec

from isshoni.environments.aws.errors import OutputsFault
from isshoni.rollout.model import Colour

Name = Annotated[str, msgspec.Meta(min_length=1)]


class ByColour(msgspec.Struct, frozen=True):
    """One name for each colour."""

    blue: Name
    green: Name

    def of(self, colour: Colour) -> str:
        """Give the one of `colour`."""
        return self.blue if colour == "blue" else self.green


class Outputs(msgspec.Struct, frozen=True):
    """The object output `isshoni` of a composition; more fields are fine."""

    region: Name
    public_url: Name
    """Where people reach it."""
    listener_arn: Name
    target_rule_arns: ByColour
    target_group_arns: ByColour
    autoscaling_group_names: ByColour
    log_groups: ByColour
    journal_table: Name
    backend_secret: Name
    """The secret whose JSON object is the environment of the backends."""
    sns_topic_arn: Name
    alarm_names: tuple[str, ...] = ()
    admin_port: int = 9101
    """The backends' private port; this machine must reach it on their private addresses."""


def read_outputs(written: bytes, folder: str) -> Outputs:
    """Read what `terraform output -json isshoni` wrote; raises `OutputsFault`."""
    try:
        return msgspec.json.decode(written, type=Outputs)
    except msgspec.MsgspecError as fault:
        raise OutputsFault(folder, str(fault)) from None
