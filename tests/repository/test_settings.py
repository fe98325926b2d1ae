"""The operator's guide lists every setting of the configuration file."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from isshoni.cli.config import Config
from isshoni.environments.aws.config import AwsConfig

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("notifications",)
"""Tables that a page of their own lists: docs/notifications.md."""


def list_settings(model: type[BaseModel], table: str = "") -> Iterator[str]:
    """Return the settings of a table and of those in it, with their paths."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from list_settings(kind, f"{table}{name}.")
        else:
            yield f"{table}{name}"


@pytest.mark.parametrize("page", ["docs/operate.md", "docs/ko/operate.md"])
@pytest.mark.parametrize("model", [Config, AwsConfig])
def test_the_guide_lists_every_setting(model: type[BaseModel], page: str) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    listed = set(re.findall(r"\w+", "\n".join(blocks)))
    settings = [path for path in list_settings(model) if path.split(".")[0] not in ELSEWHERE]

    missing = [path for path in settings if path.rsplit(".", 1)[-1] not in listed]

    assert settings
    assert missing == []
