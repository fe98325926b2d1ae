"""`--environment staging`: live users on a balancer that does what the ALB API is told.

Terraform is a stand-in here, for its minutes; test_aws_terraform.py has the real one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.verify.ports import DeployReport
from isshoni.verify.result import Result
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.aws.installation import StagingCommand, staging
from tests.support.command import finish

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SETTINGS = RunSettings(
    clients=12, sessions=4, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(4.0, 2.0)
)


@pytest.fixture
def isshoni(tmp_path: Path, aws_endpoint: str) -> Iterator[StagingCommand]:
    """Give an environment that nothing runs in yet."""
    with staging(tmp_path, aws_endpoint) as isshoni:
        yield isshoni


class TakenBack:
    """A deploy that is taken back when everybody has moved."""

    def __init__(self, isshoni: StagingCommand) -> None:
        self.isshoni = isshoni

    async def deploy(self, version: str) -> DeployReport:
        self.isshoni.configure(weights=[100], bake_seconds=600)
        engine = await self.isshoni.start("deploy", version)
        await self.isshoni.wait_until(lambda rollout: rollout.bake_began is not None)
        back = await self.isshoni.run("rollback", "--json")
        assert back.code == 0, back.err
        ended = await finish(engine)
        assert ended.code == 5, ended.err
        return DeployReport(back.json["outcome"], reason=back.json["reason"])


def nobody_noticed(result: Result) -> None:
    messages, edits = result.messages, result.edits
    assert messages.acked == messages.sent > 50
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert (edits.lost, edits.diverged_sessions) == (0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts
    assert {span.colour for row in result.timelines for span in row.spans} == {"blue", "green"}


@pytest.mark.spec("C8", "C6", "A4", "B2")
async def test_a_rollback_returns_all_sessions_and_notifies_the_team(
    isshoni: StagingCommand,
) -> None:
    up = await isshoni.run("up", "v1")
    assert up.code == 0, up.err
    address = isshoni.stand_in.url.replace("http", "ws", 1)
    deploys = [PlannedDeploy("v2", "rolled_back")]
    nobody_noticed(await verify(address, SETTINGS, deploys=deploys, runner=TakenBack(isshoni)))
    rollout = isshoni.read_rollout()
    assert rollout is not None and rollout.outcome == "rolled_back", rollout
    back = rollout.rollback
    assert back is not None and back.traffic_home and back.sessions_home
    # The SLA; on a machine of its own it is a second or two.
    assert back.sessions_home - back.began < 60
    assert "Publish" in isshoni.stand_in.front.calls
    stand = await isshoni.status()
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("blue", "v1")
    assert stand["seen"]["weights_verified"] == {"blue": 100, "green": 0}
    assert stand["seen"]["colours"]["green"]["release"] is None
    assert {m.instance.version for m in isshoni.stand_in.machines.running.values()} == {"v1"}
    logs = await isshoni.run("logs", "blue", "-n", "500")
    assert "event=started" in logs.out, logs.err
