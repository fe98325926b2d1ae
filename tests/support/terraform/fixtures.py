"""The fixture of what Terraform has applied: once for all tests."""

import contextlib
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.terraform.applied import Applied, apply_staging
from tests.support.terraform.program import find_terraform, kill_running


@pytest.fixture(scope="session", autouse=True)
def _begin_early(request: pytest.FixtureRequest) -> None:
    """Begin to apply with the first test if any will want it: nearly all of it is waiting."""
    wanted = any("applied_staging" in item.fixturenames for item in request.session.items)  # type: ignore[attr-defined]
    if wanted and shutil.which("terraform"):
        request.getfixturevalue("_applying_staging")


@pytest.fixture(scope="session")
def _applying_staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Applied]]:
    find_terraform()
    folder = tmp_path_factory.mktemp("applied")
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        yield pool.submit(stack.enter_context, apply_staging(folder))
        kill_running()


@pytest.fixture(scope="session")
def applied_staging(_applying_staging: Future[Applied]) -> Applied:
    """Give staging, applied; the last test of tests/infrastructure/test_apply.py destroys it."""
    return _applying_staging.result()
