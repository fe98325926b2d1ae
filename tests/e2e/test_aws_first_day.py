"""The first day of an environment on AWS: the guide's commands, and what goes wrong around them."""

import asyncio
import contextlib
import json
import re
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isshoni.environments.waiting import wait_until
from isshoni.verify.ports import DeployReport
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.aws.installation import StagingCommand, staging
from tests.support.command import finish

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "aws.md").read_text()
SETTINGS = RunSettings(
    clients=12, sessions=4, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(4.0, 2.0)
)


@pytest.fixture
def isshoni(tmp_path: Path, aws_endpoint: str) -> Iterator[StagingCommand]:
    """Provide an environment in which nothing runs yet."""
    with staging(tmp_path, aws_endpoint, machines=1) as isshoni:
        yield isshoni


def find_command(start: str) -> list[str]:
    """Return the words of the guide's command that begins so."""
    (found,) = set(re.findall(rf"(?m)^ +({re.escape(start)} .+)$", GUIDE))
    return shlex.split(found)


class FirstDay:
    """One deploy as the guide says, and two that are rolled back while Terraform hangs."""

    def __init__(self, isshoni: StagingCommand) -> None:
        self.isshoni = isshoni
        self.hang = isshoni.composition / "hang"
        self.said = ""
        self.alarm_was_read = False

    async def deploy(self, version: str) -> DeployReport:
        if version == "v1.1":
            return await self._deploy_by_the_guide()
        self.hang.touch()
        engine = await self.isshoni.start("deploy", version)
        assert await wait_until(self._is_applying, 60.0)
        if version == "v1.2":
            return await self._roll_back_under_the_engine(engine)
        return await self._roll_back_after_its_death(engine)

    async def _deploy_by_the_guide(self) -> DeployReport:
        await asyncio.to_thread(self._lose_the_subscription)
        script = find_command("infrastructure/scripts/deploy.sh")
        engine = await self.isshoni.start_program(ROOT, *script)
        await self.isshoni.wait_until(lambda rollout: rollout.exposed)
        await asyncio.to_thread(self._raise_an_alarm_about_the_boot)
        read = self.isshoni.stand_in.front.calls.count("DescribeAlarms")
        ended = await finish(engine)
        self.alarm_was_read = self.isshoni.stand_in.front.calls.count("DescribeAlarms") > read
        assert ended.code == 0, ended.err
        return DeployReport("promoted")

    def _lose_the_subscription(self) -> None:
        """Have SNS delete an address, as it does after 48 hours without a confirmation."""
        api, name = self.isshoni.stand_in.api, f"/{self.isshoni.name}/engine"
        published = {**self.isshoni.outputs, "alert_emails": ["team@example.com"]}
        api.call_now("ssm", "put_parameter", Name=name, Value=json.dumps(published), Overwrite=True)

    def _raise_an_alarm_about_the_boot(self) -> None:
        before = datetime.fromtimestamp(time.time() - 300, UTC)
        began = before.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        self.isshoni.stand_in.api.call_now(
            "cloudwatch",
            "set_alarm_state",
            AlarmName=f"{self.isshoni.name}-5xx-green",
            StateValue="ALARM",
            StateReason="Threshold Crossed",
            StateReasonData=json.dumps({"startDate": began}),
        )

    def _is_applying(self) -> bool:
        """True while Terraform has the lock to change the candidate."""
        info = self.isshoni.composition / "blue" / ".terraform.tfstate.lock.info"
        with contextlib.suppress(FileNotFoundError):
            return "Apply" in info.read_text()
        return False

    async def _roll_back_under_the_engine(self, engine: asyncio.subprocess.Process) -> DeployReport:
        back = await self.isshoni.run("rollback", "--json")
        assert back.code == 0, back.err
        assert (await finish(engine)).code == 5
        self.hang.unlink()
        return DeployReport(back.json["outcome"], reason=back.json["reason"])

    async def _roll_back_after_its_death(self, engine: asyncio.subprocess.Process) -> DeployReport:
        engine.kill()
        await engine.communicate()
        following = await self.isshoni.start("rollback")
        assert following.stderr is not None
        while "surely dead" not in self.said:
            line = await asyncio.wait_for(following.stderr.readline(), 60)
            assert line, self.said
            self.said += f"{line.decode().strip()} "
        self.hang.unlink()
        back = await finish(following)
        assert back.code == 0, back.err
        return DeployReport("rolled_back")


@pytest.mark.spec("C7", "C8", "C6", "A4", "D2")
async def test_the_first_day_costs_no_user_a_connection_or_a_message(
    isshoni: StagingCommand,
) -> None:
    isshoni.configure(weights=[100], bake_seconds=12)
    up = await finish(await isshoni.start_program(ROOT, *find_command("isshoni up")))
    assert up.code == 0, up.err
    runner = FirstDay(isshoni)
    deploys = [
        PlannedDeploy("v1.1", "promoted"),
        PlannedDeploy("v1.2", "rolled_back"),
        PlannedDeploy("v1.3", "rolled_back"),
    ]
    address = isshoni.stand_in.url.replace("http", "ws", 1)
    result = await verify(address, SETTINGS, deploys=deploys, runner=runner)
    messages, edits = result.messages, result.edits
    assert messages.acked == messages.sent > 50
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert (edits.lost, edits.diverged_sessions) == (0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts
    assert "the state of blue is locked by" in runner.said, runner.said
    assert f"rm {isshoni.composition}/blue/.terraform.tfstate.lock.info" in runner.said
    # What Terraform made after its engine had died is gone as well.
    stand = await isshoni.status()
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("green", "v1.1")
    assert stand["seen"]["colours"]["blue"]["release"] is None
    assert {m.instance.version for m in isshoni.stand_in.machines.running.values()} == {"v1.1"}
    assert runner.alarm_was_read
