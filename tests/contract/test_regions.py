"""The contract of the port `Regions`: the fake, and two regions on a server of the AWS API."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from isshoni.cli.config import load_config
from isshoni.cli.regions import check_failover_on_aws
from isshoni.cli.regions_status import check_versions
from isshoni.engine.errors import LeaseHeld, NothingToDo
from isshoni.engine.failover import FailoverEngine, fail_over, observe_all
from isshoni.engine.journal import Journal
from isshoni.engine.lease import describe_self
from isshoni.environments.aws.api import export_role
from isshoni.environments.aws.config import AwsConfig, place_region
from isshoni.environments.aws.doctor.examine import examine
from isshoni.environments.aws.environment import open_environment
from isshoni.environments.aws.region_opening import OpenedRegions, open_regions
from isshoni.environments.aws.region_role import choose_role
from isshoni.environments.aws.regions import BOUNDS
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.actions import Block, Follow, Move, Promote, Switch, WriteRecord
from isshoni.rollout.failover.model import Failover, RegionRecord
from isshoni.rollout.failover.ports import Regions
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.aws.moto_server import aws_environment, moto_server
from tests.support.aws.two_regions import (
    FIRST,
    QUICK_REGIONS,
    SECOND,
    TwoRegions,
    two_regions_on_aws,
)
from tests.support.command import finish
from tests.support.fake_regions import FakeRegions
from tests.support.region_orders import (
    Operator,
    find_term,
    perform,
    return_to_first,
    run_well,
    see,
    see_status,
)

BAD = Path(__file__).parents[1] / "releases" / "bad.py"
pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoRegions]:
    """Return two regions on AWS, started once; all tests but the last leave the first serving.

    Their server of the API is their own: on one that other tests had used, no target of the first
    region became healthy.
    """
    directory = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        endpoint = stack.enter_context(moto_server(directory))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in aws_environment(endpoint).items():
            patch.setenv(name, value)
        pair = stack.enter_context(two_regions_on_aws(directory, endpoint))
        asyncio.run(pair.up())
        yield pair


def read_settings(pair: TwoRegions) -> AwsConfig:
    return load_config(pair.config_file, {}).environments.on_aws["production"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(pair: TwoRegions) -> AsyncIterator[OpenedRegions]:
    """Open both as a command does."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pair.environ.items():
            patch.setenv(name, value)
        opened = await open_regions(read_settings(pair), lambda words: None)
        yield opened
        await opened.regions.aclose()


@pytest.fixture(params=["fake", "aws"])
def regions(request: pytest.FixtureRequest) -> Regions:
    if request.param == "fake":
        return FakeRegions()
    opened: OpenedRegions = request.getfixturevalue("opened")
    return opened.regions


@pytest.fixture
def names(regions: Regions) -> tuple[str, str]:
    """Return the region that serves, and its standby."""
    return ("east", "west") if isinstance(regions, FakeRegions) else (FIRST, SECOND)


async def test_roles_and_record_are_those_of_redis(
    regions: Regions, names: tuple[str, str]
) -> None:
    first, second = names
    term = await find_term(regions, first)
    await perform(regions, WriteRecord(first, RegionRecord(term + 1, first)))
    seen = await see(regions, first, True, "public")
    assert (seen.redis_role, seen.answers, seen.release) == ("master", True, "v1")
    standby = await see(regions, second, RegionRecord(term + 1, first), "record")
    assert (standby.redis_role, standby.redis_link, standby.public) == ("slave", "up", False)
    assert [each.standby_ready for each in standby.processes] == [True]


async def test_record_of_an_older_term_is_refused(regions: Regions, names: tuple[str, str]) -> None:
    first, _ = names
    term = await find_term(regions, first) + 2
    await perform(regions, WriteRecord(first, RegionRecord(term, first)))
    with pytest.raises(EnvironmentFault, match="409"):
        await regions.perform(WriteRecord(first, RegionRecord(term - 1, "")))
    assert (await see(regions, first, RegionRecord(term, first), "record")).stamp == 0


async def test_fence_is_seen_in_the_standby_with_its_stamp(
    regions: Regions, names: tuple[str, str]
) -> None:
    first, second = names
    term = await find_term(regions, first) + 1
    await perform(regions, WriteRecord(first, RegionRecord(term, "")))
    stamp = (await regions.observe(first)).stamp
    assert stamp >= 1
    await see(regions, second, RegionRecord(term, ""), "record")
    await see(regions, second, stamp, "stamp")
    await perform(regions, WriteRecord(first, RegionRecord(term + 1, first)))
    await see(regions, first, True, "public")


async def test_promotion_switch_and_move_let_the_other_region_serve(
    regions: Regions, names: tuple[str, str]
) -> None:
    first, second = names
    term = await find_term(regions, first) + 1
    await perform(regions, WriteRecord(first, RegionRecord(term, "")))
    await perform(regions, Promote(second), Promote(second))
    await see(regions, second, "master", "redis_role")
    await perform(regions, WriteRecord(second, RegionRecord(term + 1, second)))
    await see(regions, second, True, "public")
    await perform(regions, Follow(first, second), Switch(second), Move(first, second))
    assert (await see(regions, first, "slave", "redis_role")).redis_link == "up"
    assert await regions.find_switched() == second
    await return_to_first(regions, first, second)
    assert await regions.find_switched() == first


async def test_blocked_region_is_open_again_once_it_writes(opened: OpenedRegions) -> None:
    regions = opened.regions
    term = await find_term(regions, FIRST) + 1
    await regions.perform(Block(FIRST))
    await regions.perform(Block(FIRST))
    await see(regions, FIRST, True, "is_blocked")
    await perform(regions, WriteRecord(FIRST, RegionRecord(term, FIRST)))
    await see(regions, FIRST, False, "is_blocked")


async def test_going_back_after_a_promotion_undoes_it_first(opened: OpenedRegions) -> None:
    regions = opened.regions
    term = await find_term(regions, FIRST) + 1
    await perform(regions, WriteRecord(FIRST, RegionRecord(term, "")), Promote(SECOND))
    await perform(regions, WriteRecord(FIRST, RegionRecord(term + 1, FIRST)))
    await see(regions, FIRST, "master", "redis_role")
    await see(regions, SECOND, RegionRecord(term + 1, FIRST), "record")


async def test_region_asks_only_its_own_machines(pair: TwoRegions, opened: OpenedRegions) -> None:
    for name, stand_in in pair.stand_ins.items():
        seen = await opened.regions.observe(name)
        assert {each.name for each in seen.processes} == set(stand_in.machines.running)


def make_engine(opened: OpenedRegions) -> FailoverEngine:
    return FailoverEngine(
        opened.regions,
        opened.failovers,
        opened.journals,
        bounds=BOUNDS,
        environment="production",
    )


async def test_emergency_without_the_lost_regions_api_and_back(
    pair: TwoRegions, opened: OpenedRegions
) -> None:
    pair.front.lost.add(FIRST)
    try:
        without = await open_regions(read_settings(pair), lambda words: None)
        ended = await fail_over(make_engine(without), mode="emergency")
        await without.regions.aclose()
    finally:
        pair.front.lost.clear()
    assert ended.outcome == "promoted", ended.reason
    assert (ended.source, ended.missing is not None) == (FIRST, True)
    seen = await observe_all(make_engine(opened))
    assert seen[SECOND].public and seen[SECOND].redis_role == "master"
    ended = await fail_over(make_engine(opened), to=FIRST)
    assert ended.outcome == "promoted", ended.reason


async def test_dry_runs_show_both_regions_and_change_nothing(pair: TwoRegions) -> None:
    shown = await run_well(pair, "deploy", "v2", "--dry-run")
    plans = shown["regions"]
    assert [(its["region"], its["role"]) for its in plans] == [
        (SECOND, "standby"),
        (FIRST, "serving"),
    ]
    assert [its["plan"]["weights"] for its in plans] == [[100], QUICK_REGIONS["weights"]]
    assert all("create" in str(its["preview"]["changes"]) for its in plans), plans
    forecast = await run_well(pair, "failover", "--dry-run")
    assert forecast["would"].startswith(f"begin the planned failover from {FIRST}")


async def test_deploy_is_refused_while_a_failover_runs_or_was_left(
    pair: TwoRegions, opened: OpenedRegions
) -> None:
    failovers, now = opened.failovers, time.time()
    lease = failovers.take_lease(describe_self("fail over", now), now=now, ttl_seconds=60.0)
    for words in (("deploy", "v2"), ("rollback",)):
        refused = await pair.run(*words)
        assert refused.code == 6, refused.err
        assert "doing: fail over" in refused.err
    left = Failover("f-1", "planned", FIRST, SECOND, now, step_began=now, waiting_since=now)
    revision = failovers.save_failover(left, [], lease=lease, revision=0)
    failovers.release_lease(lease)
    with pytest.raises(NothingToDo, match=f"failover f-1 to {SECOND} is not over"):
        await check_failover_on_aws(read_settings(pair))
    one = await pair.run("rollback", environment=f"production.{FIRST}")
    assert (one.code, "f-1" in one.err) == (7, True), one.err
    lease = failovers.take_lease(describe_self("fail over", now), now=now, ttl_seconds=60.0)
    ended = replace(left, outcome="back", ended=now)
    failovers.save_failover(ended, [], lease=lease, revision=revision)
    failovers.release_lease(lease)
    await check_failover_on_aws(read_settings(pair))


@pytest.mark.parametrize("region", [FIRST, SECOND])
async def test_failover_is_refused_while_a_deploy_runs(
    pair: TwoRegions, opened: OpenedRegions, region: str
) -> None:
    journal, now = opened.journals[region], time.time()
    lease = journal.take_lease(describe_self("deploy v2", now), now=now, ttl_seconds=60.0)
    try:
        with pytest.raises(LeaseHeld, match="doing: deploy v2"):
            await fail_over(make_engine(opened))
    finally:
        journal.release_lease(lease)
    await see(opened.regions, FIRST, True, "public")


@pytest.mark.parametrize("region", [FIRST, SECOND])
async def test_doctor_checks_one_region(
    pair: TwoRegions, opened: OpenedRegions, region: str
) -> None:
    checks = {
        check.name: check for check in await examine(place_region(read_settings(pair), region))
    }
    assert "1 instance can be reached" in checks["admin ports"].detail
    # The account of the stand-in has no machine type and no address to notify.
    without = {"quota", "groups", "subscriptions"}
    assert {name for name, check in checks.items() if not check.ok} <= without, checks


async def test_deployer_of_one_region_works_in_the_other_as_its_deployer(
    pair: TwoRegions, opened: OpenedRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(pair)
    role = f"arn:aws:iam::123456789012:role/{settings.name}-deployer-"
    for name, value in export_role(FIRST, role + FIRST).items():
        monkeypatch.setenv(name, value)
    here = await choose_role(place_region(settings, FIRST))
    there = await choose_role(place_region(settings, SECOND))
    assert (here.role_arn, there.role_arn) == ("", role + SECOND)
    pair.front.calls.clear()
    opened_there = await open_environment(there, lambda words: None, is_region=True)
    assert opened_there.is_standby
    assert (SECOND, "AssumeRole") in pair.front.calls


@pytest.mark.spec("D3")
async def test_deploy_to_both_and_failover_lose_nothing_of_live_clients(pair: TwoRegions) -> None:
    address = pair.stand_ins[FIRST].url.replace("http", "ws", 1)
    settings = RunSettings(
        clients=8, sessions=3, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(4.0, 2.0)
    )
    deploys = [PlannedDeploy("v2", "promoted"), PlannedDeploy(SECOND, "promoted")]
    operator = Operator(pair)
    result = await verify(address, settings, deploys=deploys, runner=operator)
    messages, edits = result.messages, result.edits
    assert messages.acked == messages.sent > 20
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert (edits.lost, edits.diverged_sessions) == (0, 0)
    assert result.gap_ms.clients_cut == 0, result.long_cuts
    rollouts = operator.deployed["rollouts"]
    assert [(its["region"], its["role"]) for its in rollouts] == [
        (SECOND, "standby"),
        (FIRST, "serving"),
    ]
    expected = {FIRST: ("standby", "v2"), SECOND: ("serving", "v2")}
    seen: dict[str, Any] = {}

    async def is_reported() -> bool:
        nonlocal seen
        seen = await see_status(pair)
        return {name: (its["role"], its["version"]) for name, its in seen.items()} == expected

    assert await wait_until(is_reported, 30.0), seen


async def wait_for_rollout(journal: Journal, release: str) -> None:
    """Wait until a rollout of this release runs in a region."""

    def runs() -> bool:
        latest = journal.read_latest()
        if latest is None:
            return False
        return (latest.rollout.outcome, latest.rollout.release.label) == ("running", release)

    async def is_so() -> bool:
        return await asyncio.to_thread(runs)

    assert await wait_until(is_so, 120.0), journal.read_latest()


async def test_release_that_failed_in_the_serving_region_is_left_by_both_with_one_command(
    pair: TwoRegions, opened: OpenedRegions
) -> None:
    for stand_in in pair.stand_ins.values():
        words = ["--fault", "refuse", "--every", "1"]
        stand_in.machines.images["bad"] = [sys.executable, str(BAD), *words]
    deploying = await pair.start("deploy", "bad", "--json", "-e", "production")
    await wait_for_rollout(opened.journals[SECOND], "bad")
    pair.front.lost.add(FIRST)  # so the engine cannot return the standby
    ended = await finish(deploying)
    pair.front.lost.clear()
    assert (ended.code, ended.json["outcome"]) == (8, "stuck"), ended.err
    assert [(its["region"], its["outcome"]) for its in ended.json["rollouts"]] == [
        (FIRST, "promoted"),
        (SECOND, "rolled_back"),
    ]
    assert f"{FIRST} was not returned to v2" in ended.json["reason"]
    doctor = await pair.run("doctor", "--json")
    checks = {check["name"]: check for check in doctor.json}
    assert {f"{FIRST} locks", f"{SECOND} locks"} < set(checks)
    assert f"{SECOND} serves v2, its standby {FIRST} has bad" in checks["versions"]["detail"]
    returns = f"`isshoni rollback -e production` returns {FIRST} to v2"
    assert checks["versions"]["remedy"].startswith(returns)

    forecast = await run_well(pair, "rollback", "--dry-run")
    assert forecast["would"] == f"return {FIRST} to v2"

    done = await run_well(pair, "rollback", "--to", "v1")
    assert [(its["region"], its["role"], its["release"]) for its in done["rollouts"]] == [
        (SECOND, "serving", "v1"),
        (FIRST, "standby", "v1"),
    ]
    config = load_config(pair.config_file, {})
    check = await asyncio.to_thread(check_versions, config, "production")
    assert check.ok, check
