"""`--environment staging`: real people through a balancer that does what the ALB API is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits
from tests.support.aws.installation import StagingCommand, staging

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SETTINGS = RunSettings(
    clients=8, sessions=4, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(5.0, 2.0)
)


@pytest.fixture
async def isshoni(tmp_path: Path, aws_endpoint: str) -> AsyncIterator[StagingCommand]:
    with staging(tmp_path, aws_endpoint) as isshoni:
        up = await isshoni.run("up", "v1")
        assert up.code == 0, up.err
        yield isshoni


async def test_first(isshoni: StagingCommand) -> None:
    import time

    t = time.time()
    done = await isshoni.run("deploy", "v2", "--json")
    print(done.err, time.time() - t)
    assert done.code == 0, done.out + done.err
