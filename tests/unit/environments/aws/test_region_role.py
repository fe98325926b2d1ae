"""Which role works in a region: the deployer of one region assumes that of the other."""

from pathlib import Path

import pytest

from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.aws.region_role import choose_role, find_deployer

HERE = "eu-central-1"
CONFIG = AwsConfig(kind="aws", name="chat", terraform=Path("second"), region=HERE)
ROLE = f"arn:aws:iam::123456789012:role/chat-deployer-{HERE}"
STS = "arn:aws:sts::123456789012:assumed-role"


@pytest.mark.parametrize(
    ("caller", "role"),
    [
        (f"{STS}/chat-deployer-eu-west-1/isshoni-runner", ROLE),
        (f"{STS}/chat-deployer-{HERE}/isshoni-runner", ""),
        (f"{STS}/talk-deployer-eu-west-1/isshoni-runner", ""),
        (f"{STS}/administrators/ann", ""),
        ("arn:aws:iam::123456789012:user/ann", ""),
        (
            "arn:aws-cn:sts::123456789012:assumed-role/chat-deployer-eu-west-1/a",
            f"arn:aws-cn:iam::123456789012:role/chat-deployer-{HERE}",
        ),
    ],
)
def test_only_the_deployer_of_the_other_region_becomes_this_ones(caller: str, role: str) -> None:
    assert find_deployer(CONFIG, caller) == role


async def test_role_of_the_configuration_needs_no_question() -> None:
    config = CONFIG.model_copy(update={"role_arn": ROLE})
    assert await choose_role(config) is config
