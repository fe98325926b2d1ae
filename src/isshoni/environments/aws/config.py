"""Settings of an environment on AWS that Terraform's outputs do not contain."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from isshoni.environments.aws.region_config import ROLE_ARN, AwsRegionConfig, check_regions
from isshoni.rollout.plan import RolloutPlan, Seconds, Settings

_SET_BY_A_DEPLOY = frozenset(
    {"target_group", "image_version", "drained", "instances", "name", "region"}
)
_NOT_SET = Path("/")
T = TypeVar("T")


class AwsRolloutPlan(RolloutPlan):
    """The rollout plan with defaults for AWS: machines must boot, and production bakes longer."""

    bake_seconds: Seconds = 600.0
    start_timeout_seconds: Seconds = 900.0
    """A machine boots, fetches the image and passes its health checks."""
    weight_timeout_seconds: Seconds = 60.0
    observe_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0


class AwsConfig(Settings):
    """One environment on AWS; everything else is read from Terraform's outputs."""

    kind: Literal["aws"]
    regions: Mapping[str, AwsRegionConfig] = {}
    """Two regions by their names on AWS; none: the environment is in `region` only."""
    terraform: Annotated[Path, Field(validate_default=True)] = _NOT_SET
    """The folder of its Terraform composition, relative to the configuration file.

    The compositions of the two slots are in its folders `blue` and `green`."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,18}[a-z0-9]$")] = "isshoni"
    """Terraform's variable `name`: what everything of the environment is called by."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "eu-west-1"
    """Terraform's variable `region`."""
    backend: Mapping[str, str] = {}
    """Settings of Terraform's state backend: `bucket`, `region`, `kms_key_id`."""
    terraform_program: str = "terraform"
    """Terraform 1.5 or newer, or OpenTofu."""
    variables: Mapping[str, str] = {}
    """More input variables of the slots' compositions; those that a deploy sets are not allowed."""
    role_arn: Annotated[str, Field(pattern=ROLE_ARN)] = ""
    """The role that all calls and Terraform are made with; empty: the caller's own credentials."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] | None = None
    """The balancer's URL from this machine, if not that of users."""
    look_seconds: Annotated[float, Field(gt=0, le=10)] = 1.0
    """How long values read from AWS are used again: its API limits calls."""
    terraform_seconds: Annotated[float, Field(gt=0, le=7200)] = 900.0
    """How long a run of Terraform may take, and may wait for the state's lock."""
    empty_seconds: Annotated[float, Field(gt=0, le=7200)] = 600.0
    """How long the instances of a stopped slot may take to disappear."""
    rollout: AwsRolloutPlan = AwsRolloutPlan()
    """The rollout plan, instead of the file's `[rollout]`, which is for the local environment."""
    prices: Mapping[str, Annotated[float, Field(gt=0)]] = {}
    """US dollars an hour by type of machine, for `--dry-run`: instead of the list prices."""
    state_dir: Path = Path(".isshoni")
    """The directory of reports and readings of rollouts that ran on this machine."""

    @field_validator("regions")
    @classmethod
    def _are_two_or_none(
        cls, regions: Mapping[str, AwsRegionConfig]
    ) -> Mapping[str, AwsRegionConfig]:
        check_regions(regions)
        return regions

    @field_validator("terraform")
    @classmethod
    def _has_a_folder(cls, folder: Path, info: ValidationInfo) -> Path:
        if folder == _NOT_SET and info.data.get("regions") == {}:
            raise ValueError("is missing: the folder of the environment's Terraform composition")
        return folder

    @field_validator("terraform", "region", "backend", "public_url", "role_arn")
    @classmethod
    def _is_of_one_region(cls, value: T, info: ValidationInfo) -> T:
        regions = info.data.get("regions")
        if regions and value not in (_NOT_SET, ""):
            raise ValueError(
                f"each region has its own, in a table like […regions.{next(iter(regions))}]: there "
                "public_url is called url, and region is the name of the table"
            )
        return value

    @field_validator("variables")
    @classmethod
    def _check_variables(cls, variables: Mapping[str, str]) -> Mapping[str, str]:
        if taken := sorted(_SET_BY_A_DEPLOY & variables.keys()):
            raise ValueError(
                f"{', '.join(taken)}: a deploy sets these itself (`name` and `region` are "
                "settings of the environment)"
            )
        return variables


def place_region(config: AwsConfig, name: str) -> AwsConfig:
    """Return the configuration of one region, as that of an environment of its own."""
    its = config.regions[name]
    changes = {
        "terraform": its.terraform,
        "region": name,
        "backend": its.backend,
        "public_url": its.url,
        "role_arn": its.role_arn,
        "regions": {},
        "state_dir": config.state_dir / name,
    }
    return config.model_copy(update=changes)
