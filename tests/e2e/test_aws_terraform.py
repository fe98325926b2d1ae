"""The engine over what Terraform really applied: the real program starts and ends machines."""

from collections.abc import Iterator

import psutil
import pytest

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.waiting import wait_until
from isshoni.verify.ports import DeployReport
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.aws.installation import StagingCommand, valkey
from tests.support.aws.moto_server import REGION, aws_environment
from tests.support.aws.stand_in import StandIn
from tests.support.terraform.applied import Applied

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SETTINGS = RunSettings(
    clients=8, sessions=4, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(3.0, 1.0)
)
PATIENT: dict[str, float | list[int]] = {"start_timeout_seconds": 240, "weights": [100]}


@pytest.fixture
def isshoni(
    applied_staging: Applied, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StagingCommand]:
    """Give the environment that was applied, and machines behind its balancer."""
    directory = tmp_path_factory.mktemp("staging")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(applied_staging.endpoint).items():
            patch.setenv(name, value)
        with valkey(directory) as redis:
            api = AwsApi(REGION, timeout_seconds=30.0)
            outputs, endpoint = applied_staging.outputs, applied_staging.endpoint
            stand_in = StandIn(directory, api, outputs, endpoint, redis.url)
            with stand_in.running():
                yield StagingCommand(
                    directory,
                    stand_in,
                    composition=applied_staging.composition.folder,
                    name="isshoni",
                    program="terraform",
                    environ=applied_staging.composition.environment,
                )


class KilledWhileTerraformRuns:
    """A deploy whose engine dies while Terraform makes the candidate's machines."""

    def __init__(self, isshoni: StagingCommand) -> None:
        self.isshoni = isshoni

    async def deploy(self, version: str) -> DeployReport:
        engine = await self.isshoni.start("deploy", version)
        await self.isshoni.wait_until(
            lambda rollout: f"start {version} on green" in rollout.record.asked, 120.0
        )
        engine.kill()
        await engine.communicate()
        # What it left behind goes on, or is gone: the state's lock and the plan tell.
        again = await self.isshoni.run("deploy", version, "--json")
        assert again.code == 0, again.err
        return DeployReport(again.json["outcome"], reason=again.json["reason"])


@pytest.mark.spec("C7", "C8", "D2", "A4")
async def test_terraform_starts_and_ends_colours_under_live_users(
    isshoni: StagingCommand, applied_staging: Applied
) -> None:
    isshoni.configure("", **PATIENT)
    up = await isshoni.run("up", "v1")
    assert up.code == 0, up.err
    address = isshoni.stand_in.url.replace("http", "ws", 1)
    deploys = [PlannedDeploy("v2", "promoted")]
    runner = KilledWhileTerraformRuns(isshoni)
    result = await verify(address, SETTINGS, deploys=deploys, runner=runner)
    messages = result.messages
    assert messages.acked == messages.sent > 0
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts
    assert {m.instance.colour for m in isshoni.stand_in.machines.running.values()} == {"green"}
    # And back to the version and the colour of before.
    back = await isshoni.run("rollback", "--json")
    assert back.code == 0, back.err
    assert (back.json["release"], back.json["colour"]) == ("v1", "blue")
    # All of green is gone, what nobody can see of it too.
    left = {c: slot.must("state", "list").split() for c, slot in applied_staging.slots.items()}
    made = {
        c: {a for a in addresses if a.startswith("module.colour.aws_")}
        for c, addresses in left.items()
    }
    assert made["green"] == set()
    assert made["blue"] == {
        f"module.colour.{each}[0]"
        for each in (
            "aws_autoscaling_group.this",
            "aws_autoscaling_lifecycle_hook.evacuate",
            "aws_autoscaling_policy.connections",
            "aws_autoscaling_policy.cpu",
            "aws_ecs_service.this",
            "aws_ecs_task_definition.this",
            "aws_launch_template.this",
        )
    }
    folders = [str(slot.folder) for slot in applied_staging.slots.values()]
    assert await wait_until(lambda: not find_in(folders), 30.0)


def find_in(folders: list[str]) -> list[str]:
    """Find the processes that run in `folders`: Terraform and its providers."""
    running = psutil.process_iter(["cwd", "name"])
    return [p.info["name"] for p in running if p.info["cwd"] in folders]
