"""`--environment staging`: live users on a balancer that does what the ALB API is told.

Terraform is a stand-in here, for its minutes; tests/infrastructure has the real one.
"""

from collections.abc import Iterator

import pytest

from isshoni.rollout.state import Rollout
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


@pytest.fixture(scope="module")
def isshoni(
    tmp_path_factory: pytest.TempPathFactory, aws_endpoint: str
) -> Iterator[StagingCommand]:
    """Give one environment to all tests here, each of which leaves it with a stable."""
    with staging(tmp_path_factory.mktemp("staging"), aws_endpoint) as isshoni:
        yield isshoni


class KilledAndResumed:
    """A deploy whose engine is killed while people are on both colours, and run again."""

    def __init__(self, isshoni: StagingCommand) -> None:
        self.isshoni = isshoni

    async def deploy(self, version: str) -> DeployReport:
        engine = await self.isshoni.start("deploy", version)
        await self.isshoni.wait_until(lambda rollout: rollout.bake_began is not None)
        engine.kill()
        await engine.communicate()
        again = await self.isshoni.run("deploy", version, "--json")
        assert again.code == 0, again.err
        return DeployReport(again.json["outcome"], reason=again.json["reason"])


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


async def live_through(
    isshoni: StagingCommand, runner: KilledAndResumed | TakenBack, version: str, expected: str
) -> Result:
    address = isshoni.stand_in.url.replace("http", "ws", 1)
    deploys = [PlannedDeploy(version, expected)]
    return await verify(address, SETTINGS, deploys=deploys, runner=runner)


def nobody_noticed(result: Result) -> None:
    messages, edits = result.messages, result.edits
    assert messages.acked == messages.sent > 50
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert (edits.lost, edits.diverged_sessions) == (0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts
    assert {span.colour for row in result.timelines for span in row.spans} == {"blue", "green"}


def has_ended(rollout: Rollout | None, outcome: str) -> Rollout:
    assert rollout is not None
    assert rollout.outcome == outcome, rollout.reason
    return rollout


@pytest.mark.spec("C8", "C7", "A4", "B2", "D2")
async def test_nobody_notices_a_deploy_that_a_second_engine_finishes(
    isshoni: StagingCommand,
) -> None:
    up = await isshoni.run("up", "v1")
    assert up.code == 0, up.err
    result = await live_through(isshoni, KilledAndResumed(isshoni), "v2", "promoted")
    nobody_noticed(result)
    has_ended(isshoni.read_rollout(), "promoted")
    stand = await isshoni.status()
    assert stand["stable"] == {"colour": "green", "release": "v2"}
    assert stand["seen"]["weights_verified"] == {"blue": 0, "green": 100}
    assert stand["seen"]["colours"]["blue"]["release"] is None
    assert {m.instance.version for m in isshoni.stand_in.machines.running.values()} == {"v2"}
    logs = await isshoni.run("logs", "green", "-n", "500")
    assert "event=started" in logs.out, logs.err


@pytest.mark.spec("C8", "C6", "A4")
async def test_a_rollback_brings_everybody_home(isshoni: StagingCommand) -> None:
    before = isshoni.open_journal().read_stable()
    assert before is not None
    result = await live_through(isshoni, TakenBack(isshoni), "v3", "rolled_back")
    nobody_noticed(result)
    rollback = has_ended(isshoni.read_rollout(), "rolled_back").rollback
    assert rollback is not None and rollback.traffic_home and rollback.sessions_home
    print(
        "clocks:", rollback.traffic_home - rollback.began, rollback.sessions_home - rollback.began
    )
    # The SLA; on a machine of its own it is a second or two.
    assert rollback.sessions_home - rollback.began < 60
    stand = await isshoni.status()
    assert stand["stable"] == {"colour": before.colour, "release": before.release.label}
    assert stand["seen"]["weights_verified"][before.colour] == 100
    history = (await isshoni.run("history", "--json")).json
    assert [row["outcome"] for row in history] == ["rolled_back", "promoted"]
    assert "Publish" in isshoni.stand_in.front.calls, "nobody was told by SNS"
