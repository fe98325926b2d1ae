"""What a command does to the state directory before its rollout."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isshoni.cli.context import remember_config
from isshoni.rollout.errors import EnvironmentFault


def test_a_state_directory_that_cannot_be_written_is_a_fault_that_names_it(tmp_path: Path) -> None:
    state_dir = tmp_path / "missing"
    local = SimpleNamespace(state_dir=state_dir, regions={})
    config = SimpleNamespace(environments=SimpleNamespace(local=local))
    context: Any = SimpleNamespace(place=local, config=config)
    with pytest.raises(EnvironmentFault, match=f"{state_dir} cannot be used"):
        remember_config(context)
