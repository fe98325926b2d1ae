"""The fixture of what Terraform has applied."""

from collections.abc import Iterator

import pytest

from tests.support.terraform.applied import Applied, apply_staging
from tests.support.terraform.program import find_terraform, kill_running


@pytest.fixture(scope="module")
def applied_staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """Give staging, applied, to one file: each leaves it otherwise than it was.

    It takes two minutes, nearly all of it waiting; tests/conftest.py has it begin first.
    """
    find_terraform()
    with apply_staging(tmp_path_factory.mktemp("applied")) as applied:
        yield applied
    kill_running()
