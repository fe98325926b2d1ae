"""A machine of the stable slot ends during a deploy: ECS, the group and the balancer go along."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.verify.ports import DeployReport
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.aws.installation import StagingCommand, staging
from tests.support.command import finish

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SETTINGS = RunSettings(
    clients=12, sessions=6, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(4.0, 2.0)
)


@pytest.fixture
def isshoni(tmp_path: Path, aws_endpoint: str) -> Iterator[StagingCommand]:
    """Provide an environment in which nothing runs yet."""
    with staging(tmp_path, aws_endpoint) as isshoni:
        yield isshoni


class ScaledIn:
    """A deploy during which a machine of the stable slot is scaled in."""

    def __init__(self, isshoni: StagingCommand) -> None:
        self.isshoni = isshoni
        self.ended = ""
        self.words = ""

    async def deploy(self, version: str) -> DeployReport:
        engine = await self.isshoni.start("deploy", version, "--json")
        await self.isshoni.wait_until(lambda rollout: rollout.bake_began is not None)
        await asyncio.to_thread(self._scale_in)
        attended = await self.isshoni.run("attend")
        assert attended.code == 0, attended.err
        self.words = attended.out
        ended = await finish(engine)
        assert ended.code == 0, ended.err
        return DeployReport(ended.json["outcome"], reason=ended.json["reason"])

    def _scale_in(self) -> None:
        machines = self.isshoni.stand_in.machines.running.values()
        self.ended = next(m.instance.id for m in machines if m.instance.colour == "blue")
        # Protected from the group's own scale-in while the rollout lasts; not from this.
        self.isshoni.stand_in.api.call_now(
            "autoscaling",
            "terminate_instance_in_auto_scaling_group",
            InstanceId=self.ended,
            ShouldDecrementDesiredCapacity=True,
        )


@pytest.mark.spec("C8", "A4")
async def test_a_scale_in_during_a_deploy_moves_its_users_and_costs_none(
    isshoni: StagingCommand,
) -> None:
    isshoni.configure(weights=[50, 100], bake_seconds=4)
    up = await isshoni.run("up", "v1")
    assert up.code == 0, up.err
    address = isshoni.stand_in.url.replace("http", "ws", 1)
    runner = ScaledIn(isshoni)
    result = await verify(
        address, SETTINGS, deploys=[PlannedDeploy("v2", "promoted")], runner=runner
    )
    messages, edits = result.messages, result.edits
    assert messages.acked == messages.sent > 0
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert (edits.lost, edits.diverged_sessions) == (0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts
    assert f"blue {runner.ended}: " in runner.words
    assert "connections moved; it ends" in " ".join(runner.words.split())
    assert {m.instance.colour for m in isshoni.stand_in.machines.running.values()} == {"green"}
    assert len(isshoni.stand_in.machines.running) == 2
    rollout = isshoni.read_rollout()
    assert rollout is not None
    records = isshoni.open_journal().read_records(rollout.id)
    assert "machine_emptied" in {record.what for record in records}
