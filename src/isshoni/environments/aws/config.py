"""Settings of an AWS environment: what Terraform's outputs do not say themselves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from isshoni.rollout.plan import RolloutPlan, Seconds, Settings


class AwsRolloutPlan(RolloutPlan):
    """A rollout at the pace of machines that are made for it, and of people in earnest."""

    bake_seconds: Seconds = 600.0
    start_timeout_seconds: Seconds = 900.0
    """A machine boots, fetches the image and passes its health checks."""
    weight_timeout_seconds: Seconds = 60.0
    observe_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0


class AwsConfig(Settings):
    """One environment on AWS. Everything else is read from Terraform's outputs."""

    kind: Literal["aws"]
    terraform: Path
    """The folder of its composition, relative to the configuration file."""
    terraform_program: str = "terraform"
    """Terraform 1.5 or newer, or OpenTofu."""
    variables: Mapping[str, str] = {}
    """More input variables, passed on as they are. Not those of a deploy."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] | None = None
    """Where this machine reaches the balancer, if not where people do."""
    look_seconds: Annotated[float, Field(gt=0, le=10)] = 1.0
    """What was read of AWS is good for this long: the API counts calls."""
    terraform_seconds: Annotated[float, Field(gt=0, le=7200)] = 900.0
    """What one run of Terraform may take, and wait for another one's lock."""
    empty_seconds: Annotated[float, Field(gt=0, le=7200)] = 600.0
    """What the instances of an emptied colour may take to be gone."""
    rollout: AwsRolloutPlan = AwsRolloutPlan()
    """In place of the `[rollout]` of the whole file, which is for one machine."""
    state_dir: Path = Path(".isshoni")
    """Reports and readings of rollouts that this machine drove; a folder in it has its name."""
