"""The fixture of what Terraform has applied: once for all tests."""

from collections.abc import Iterator

import pytest

from tests.support.terraform.applied import Applied, apply_staging
from tests.support.terraform.program import find_terraform, kill_running


@pytest.fixture(scope="session")
def applied_staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """Give staging, applied; the last test of tests/infrastructure/test_apply.py destroys it.

    It takes two minutes, nearly all of it waiting; tests/conftest.py has it begin first.
    """
    find_terraform()
    with apply_staging(tmp_path_factory.mktemp("applied")) as applied:
        yield applied
    kill_running()
