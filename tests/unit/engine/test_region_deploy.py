"""A deploy to both regions: the standby first, and what is done if one region fails."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from isshoni.engine.environment import Environment
from isshoni.engine.errors import JournalFault, NothingToDo
from isshoni.engine.operations import Engine, abort, deploy, ignore_progress, rollback
from isshoni.engine.reconciler import Controls, TurnReport
from isshoni.engine.region_deploy import (
    RegionPair,
    RegionsReport,
    RegionTarget,
    Work,
    deploy_by_region,
    describe_rollback,
    rollback_by_region,
)
from isshoni.engine.report import RolloutReport
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.engine.standby import plan_standby, stand_by
from isshoni.errors import ExitCode
from isshoni.rollout.model import FiringAlarm, Proof, Release, Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.fake_standby import FakeStandbyPorts
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0, keep_stable_seconds=60.0)


@dataclass
class Regions:
    """East serves, west stands by; both with v1."""

    east: World
    west: World
    behind: FakeStandbyPorts
    pair: RegionPair
    shown: list[str] = field(default_factory=list)
    lost_after: int | None = None
    """After so many rollouts the table of the next one's region does not answer."""

    async def show(self, target: RegionTarget, work: Work) -> RolloutReport:
        """Run one rollout."""
        if len(self.shown) == self.lost_after:
            raise JournalFault(f"the journal of {target.name} does not answer")
        self.shown.append(target.name)
        return await work(Controls(), ignore_progress)

    def versions(self) -> tuple[str, str]:
        """Return the stable labels of east and west."""
        serving, standby = self.pair.serving.release, self.pair.standby.release
        assert serving is not None and standby is not None
        return serving.label, standby.label

    async def deploy(self, release: Release = V2, *, force: bool = False) -> RegionsReport:
        """Deploy to both."""
        return await deploy_by_region(self.pair, release, self.show, force=force)

    async def rollback(self, to: str | None = None) -> RegionsReport:
        """Roll back both."""
        return await rollback_by_region(self.pair, self.show, to=to)


async def ignore_roles() -> None:
    """Find the roles unchanged."""


@pytest.fixture
def regions(tmp_path: Path) -> Iterator[Regions]:
    east, west = World(), World(clients=0)
    ports = FakeStandbyPorts(west)
    with (
        closing(SqliteJournal(tmp_path / "east.db")) as of_east,
        closing(SqliteJournal(tmp_path / "west.db")) as of_west,
    ):
        for journal in (of_east, of_west):
            journal.record_stable(Stable("blue", V1), at=east.now)
        serving = RegionTarget("east", make_engine(east, FakePorts(east), of_east), PLAN)
        behind = make_engine(west, ports, of_west)
        engine = Engine(stand_by(behind.environment), behind.clock, "tester")
        standby = RegionTarget("west", engine, plan_standby(PLAN))
        yield Regions(east, west, ports, RegionPair(standby, serving, ignore_roles))


def make_engine(world: World, ports: FakePorts, journal: SqliteJournal) -> Engine:
    return Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world), "tester")


async def test_the_standby_is_deployed_first_at_once_and_without_probes(regions: Regions) -> None:
    regions.west.broken.add("send")  # a probe would fail: a standby lets no user in
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("promoted", ExitCode.OK)
    assert regions.shown == ["west", "east"]
    assert regions.versions() == ("v2", "v2")
    standby, serving = report.rollouts
    assert (standby.region, standby.role, standby.report.bake_seconds) == ("west", "standby", 0.0)
    assert [each.number for each in standby.report.steps][-1] == 10
    assert (serving.region, serving.role, serving.report.bake_seconds) == ("east", "serving", 6.0)
    assert regions.west.slots["blue"].release is None
    assert regions.east.cut == []
    shown = report.to_json()
    assert [each["role"] for each in shown["rollouts"]] == ["standby", "serving"]


async def test_a_standby_ignores_alarms_that_watch_users(regions: Regions) -> None:
    regions.west.alarms = frozenset({FiringAlarm("latency")})
    assert (await regions.deploy()).outcome == "promoted"


async def test_a_release_that_is_not_ready_as_a_standby_changes_no_other_region(
    regions: Regions,
) -> None:
    regions.west.candidate_faults = {"ready": False}
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("rolled_back", ExitCode.ROLLED_BACK)
    assert "lost the link" in report.reason and "east was not changed" in report.reason
    assert regions.versions() == ("v1", "v1")
    assert not any(act.startswith("start") for act in regions.east.acts)


async def test_a_release_from_before_regions_is_refused_as_a_standby(regions: Regions) -> None:
    regions.behind.before_regions.add("v2")
    report = await regions.deploy()
    assert report.outcome == "rolled_back"
    assert "v2 knows nothing of regions" in report.reason
    assert regions.versions() == ("v1", "v1")


async def test_a_release_that_cannot_read_sessions_is_found_in_the_standby(
    regions: Regions,
) -> None:
    regions.west.candidate_faults = {"proof": Proof(True, 3, 2, "unknown envelope")}
    report = await regions.deploy()
    assert report.outcome == "rolled_back" and "2 of 3 sessions" in report.reason
    assert regions.shown == ["west"]


async def test_a_standby_that_is_down_is_refused(regions: Regions) -> None:
    regions.west.slots["blue"].alive = False
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("refused", ExitCode.REFUSED)
    assert "blue is not running" in report.reason


async def test_a_standby_whose_balancer_does_not_answer_is_refused_before_anything_begins(
    regions: Regions,
) -> None:
    regions.west.broken = {"verify_weights"}
    with pytest.raises(NothingToDo, match=r"isshoni up --region west.*-e local\.east"):
        await regions.deploy()
    assert regions.shown == []
    regions.west.broken = set()
    assert (await regions.deploy()).outcome == "promoted"


async def test_commands_in_reasons_name_the_environment_on_aws(regions: Regions) -> None:
    regions.pair = replace(regions.pair, environment="production")
    regions.west.broken = {"verify_weights"}
    with pytest.raises(NothingToDo, match=r"up --region west -e production.*-e production\.east"):
        await regions.deploy()


async def test_a_standby_that_believes_that_it_serves_is_refused(regions: Regions) -> None:
    regions.behind.serves = True
    assert (await regions.deploy()).outcome == "refused"


async def test_a_release_that_fails_for_users_is_returned_in_the_standby_too(
    regions: Regions,
) -> None:
    regions.east.candidate_faults = {"error_share": 0.2}
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("rolled_back", ExitCode.ROLLED_BACK)
    assert "5xx" in report.reason and "west was returned to v1" in report.reason
    assert regions.shown == ["west", "east", "west"]
    assert regions.versions() == ("v1", "v1")


async def test_a_standby_that_cannot_be_returned_is_named_and_rollback_returns_it(
    regions: Regions,
) -> None:
    regions.east.candidate_faults = {"error_share": 0.2}
    regions.west.cannot_start.add("v1")
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("stuck", ExitCode.STUCK)
    assert "west was not returned to v1" in report.reason
    assert "`isshoni rollback`" in report.reason
    assert regions.versions() == ("v1", "v2")
    regions.west.cannot_start.clear()
    assert describe_rollback(regions.pair, None) == "would return west to v1"
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))
    assert regions.shown == ["west", "east", "west", "west"]


async def assert_rollback_returns_both(regions: Regions) -> None:
    """Roll back, with every region there again."""
    regions.lost_after = None
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))


async def test_a_standby_that_is_lost_before_it_is_returned_is_named(regions: Regions) -> None:
    regions.east.candidate_faults = {"error_share": 0.2}
    regions.lost_after = 2
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("stuck", ExitCode.STUCK)
    assert "5xx" in report.reason
    assert "west was not returned to v1 (the journal of west does not answer)" in report.reason
    assert [(each.region, each.report.outcome) for each in report.rollouts] == [
        ("west", "promoted"),
        ("east", "rolled_back"),
    ]
    await assert_rollback_returns_both(regions)


async def test_a_serving_region_that_is_lost_after_the_standby_was_deployed_is_named(
    regions: Regions,
) -> None:
    regions.lost_after = 1
    report = await regions.deploy()
    assert (report.outcome, report.exit_code) == ("stuck", ExitCode.STUCK)
    assert report.reason == (
        "west has v2, east has not (the journal of east does not answer): `isshoni deploy v2` "
        "goes on, `isshoni rollback` returns west"
    )
    await assert_rollback_returns_both(regions)


async def test_a_region_that_is_lost_before_anything_was_changed_is_raised(
    regions: Regions,
) -> None:
    regions.lost_after = 0
    with pytest.raises(JournalFault):
        await regions.deploy()
    await deploy(regions.pair.standby.engine, V2, regions.pair.standby.plan)
    with pytest.raises(JournalFault):
        await regions.rollback()


async def test_a_deploy_that_ended_between_the_regions_goes_on_with_the_serving_one(
    regions: Regions,
) -> None:
    standby = regions.pair.standby
    await deploy(standby.engine, V2, standby.plan)
    report = await regions.deploy()
    assert (report.outcome, regions.shown) == ("promoted", ["east"])
    assert regions.versions() == ("v2", "v2")


@pytest.mark.parametrize("region", ["west", "east"])
async def test_a_rollout_that_was_left_unfinished_is_resumed(regions: Regions, region: str) -> None:
    target = regions.pair.standby if region == "west" else regions.pair.serving
    controls = Controls()

    def leave(turn: TurnReport) -> None:
        if turn.rollout.step.number >= 3:
            controls.leave()

    if region == "east":
        await deploy(regions.pair.standby.engine, V2, regions.pair.standby.plan)
    left = await deploy(target.engine, V2, target.plan, controls=controls, on_progress=leave)
    assert left.outcome == "running"
    report = await regions.deploy()
    assert report.outcome == "promoted"
    assert left.id in [each.report.id for each in report.rollouts]
    assert regions.versions() == ("v2", "v2")


async def test_the_same_label_again_is_deployed_in_both(regions: Regions) -> None:
    await regions.deploy()
    assert (await regions.deploy()).outcome == "promoted"
    assert regions.shown == ["west", "east"] * 2


async def test_a_rollback_returns_the_serving_region_first(regions: Regions) -> None:
    await regions.deploy()
    assert describe_rollback(regions.pair, None) == "would return east, then west to v1"
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))
    assert regions.shown[-2:] == ["east", "west"]


async def test_a_rollback_to_a_version_returns_both(regions: Regions) -> None:
    await regions.deploy()
    await regions.deploy(Release("v3"))
    report = await regions.rollback("v1")
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))


async def test_a_rollback_of_the_serving_region_alone_leaves_a_standby_that_never_had_it(
    regions: Regions,
) -> None:
    serving = regions.pair.serving
    await deploy(serving.engine, V2, serving.plan)  # `isshoni deploy v2 -e local.east`
    assert describe_rollback(regions.pair, None) == "would return east to v1"
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))
    assert regions.shown == ["east"]


async def test_a_standby_that_got_an_older_version_alone_is_returned(regions: Regions) -> None:
    await regions.deploy()
    await deploy(regions.pair.standby.engine, V1, regions.pair.standby.plan)
    assert describe_rollback(regions.pair, None) == "would return west to v2"


async def test_a_standby_that_a_rollback_of_the_serving_region_alone_left_is_returned(
    regions: Regions,
) -> None:
    await regions.deploy()
    serving = regions.pair.serving
    await rollback(serving.engine, plan=serving.plan)  # `isshoni rollback -e local.east`
    assert regions.versions() == ("v1", "v2")
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))
    assert regions.shown == ["west", "east", "west"]


async def test_a_standby_that_an_unattended_rollback_left_is_returned(regions: Regions) -> None:
    serving = regions.pair.serving
    await deploy(regions.pair.standby.engine, V2, regions.pair.standby.plan)
    controls = Controls()

    def leave(turn: TurnReport) -> None:
        if turn.rollout.step.number >= 6:
            controls.leave()

    left = await deploy(serving.engine, V2, serving.plan, controls=controls, on_progress=leave)
    assert left.outcome == "running"
    assert (await abort(serving.engine)).outcome == "rolled_back"
    assert regions.versions() == ("v1", "v2")
    assert describe_rollback(regions.pair, None) == "would return west to v1"
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))
    assert regions.shown == ["west"]


async def test_a_rollback_of_a_deploy_that_was_killed_returns_both(regions: Regions) -> None:
    serving = regions.pair.serving
    await deploy(regions.pair.standby.engine, V2, regions.pair.standby.plan)
    controls = Controls()

    def leave(turn: TurnReport) -> None:
        if turn.rollout.step.number >= 6:
            controls.leave()

    await deploy(serving.engine, V2, serving.plan, controls=controls, on_progress=leave)
    assert describe_rollback(regions.pair, None) == "would return east, then west to v1"
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("rolled_back", ("v1", "v1"))
    assert regions.shown == ["east", "west"]


async def test_a_failover_between_the_regions_ends_the_deploy(regions: Regions) -> None:
    calls: list[int] = []

    async def check() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise NothingToDo("west serves now")

    regions.pair = RegionPair(regions.pair.standby, regions.pair.serving, check)
    report = await regions.deploy()
    assert (report.outcome, regions.versions()) == ("stuck", ("v1", "v2"))
    assert report.reason == "west has v2, but west serves now"


async def test_a_failover_before_anything_was_changed_is_raised(regions: Regions) -> None:
    async def check() -> None:
        raise NothingToDo("a failover is not over")

    regions.pair = RegionPair(regions.pair.standby, regions.pair.serving, check)
    with pytest.raises(NothingToDo, match="a failover is not over"):
        await regions.deploy()
    assert regions.shown == []


async def test_an_unfinished_return_of_the_standby_names_the_rollback(regions: Regions) -> None:
    standby = regions.pair.standby
    controls = Controls()

    def leave(turn: TurnReport) -> None:
        if turn.rollout.step.number >= 3:
            controls.leave()

    await deploy(standby.engine, Release("v0"), standby.plan, controls=controls, on_progress=leave)
    with pytest.raises(NothingToDo, match=r"v0 is not over in west.*`isshoni rollback`"):
        await regions.deploy()
    report = await regions.rollback()
    assert (report.outcome, regions.versions()) == ("promoted", ("v1", "v1"))
