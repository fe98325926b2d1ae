"""How two regions differ in their version, and the commands that bring both to one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from isshoni.engine.lease import describe_self
from isshoni.engine.region_versions import RegionVersion, find_difference, read_version
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.revert import begin_rollback
from isshoni.rollout.state import Rollout, begin_rollout, end_rollout

V1, V2, V3 = Release("v1"), Release("v2"), Release("v3")
SERVING, STANDBY = RegionVersion("east", V1), RegionVersion("west", V1)
LEFT = begin_rollout("r1", V2, RolloutPlan(), Stable("blue", V1), 1.0)
STUCK = end_rollout(LEFT, "stuck", "it does not start", 2.0)


def remedy(serving: RegionVersion, standby: RegionVersion, environment: str = "local") -> str:
    found = find_difference(serving, standby, environment)
    assert found is not None and "no planned failover is possible" in found.detail
    return found.remedy


def test_one_version_in_both_is_no_difference() -> None:
    assert find_difference(SERVING, STANDBY, "local") is None
    with_content = replace(V1, content="git:0123456789abcdef")
    assert find_difference(SERVING, replace(STANDBY, release=with_content), "local") is None


def test_a_standby_with_another_version_is_returned_by_a_rollback() -> None:
    found = find_difference(SERVING, replace(STANDBY, release=V2), "local")
    assert found is not None
    assert found.detail.startswith("east serves v1, its standby west has v2: ")
    assert found.remedy == (
        "`isshoni rollback` returns west to v1, or `isshoni deploy v2` deploys v2 to east"
    )


def test_a_standby_that_is_behind_gets_the_version_or_the_serving_region_leaves_it() -> None:
    serving = replace(SERVING, release=V2, previous=V1)
    assert remedy(serving, STANDBY, "production") == (
        "`isshoni deploy v2 -e production.west` deploys v2 to west, or `isshoni rollback -e "
        "production` returns east to v1"
    )


def test_a_standby_with_a_version_that_the_serving_region_never_had_is_returned() -> None:
    serving = replace(SERVING, release=V2, previous=V1)
    assert remedy(serving, replace(STANDBY, release=V3)).startswith(
        "`isshoni rollback` returns west to v2"
    )


def test_a_standby_that_left_the_version_for_an_older_one_is_returned() -> None:
    serving = replace(SERVING, release=V2, previous=V1)
    left = replace(STANDBY, previous=V2)  # a deploy of v1, which the serving region did not promote
    assert remedy(serving, left).startswith("`isshoni rollback` returns west to v2")


def test_a_release_that_is_more_than_a_label_needs_the_whole_command() -> None:
    other = replace(V2, command="python -m chat {port}")
    assert remedy(replace(SERVING, release=other, previous=V1), STANDBY).startswith(
        "the command that deployed v2, with `-e local.west`, deploys v2 to west, or"
    )
    assert remedy(SERVING, replace(STANDBY, release=other)).endswith(
        "or the command that deployed v2 deploys v2 to east"
    )


@pytest.mark.parametrize("is_standby", [True, False])
def test_an_unfinished_rollout_is_named_first(is_standby: bool) -> None:
    serving, standby = SERVING, replace(STANDBY, release=V2)
    if is_standby:
        standby = replace(standby, unfinished=LEFT)
    else:
        serving = replace(serving, unfinished=LEFT)
    assert remedy(serving, standby) == (
        "`isshoni rollback` returns both to one version, or `isshoni deploy v2` continues it"
    )


@pytest.mark.parametrize("left", [STUCK, begin_rollback(LEFT, "asked for", 2.0)])
def test_of_a_rollback_that_is_not_over_only_a_rollback_is_advised(left: Rollout) -> None:
    standby = replace(STANDBY, unfinished=left)
    assert remedy(SERVING, standby) == "`isshoni rollback` returns both to one version"


def test_nothing_is_advised_while_an_engine_works() -> None:
    working = replace(STANDBY, release=V2, is_busy=True)
    assert find_difference(SERVING, working, "local") is None
    assert find_difference(replace(SERVING, is_busy=True), working, "local") is None


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(tmp_path / "journal.sqlite")) as journal:
        yield journal


def test_a_version_is_read_from_the_journal(journal: SqliteJournal) -> None:
    assert read_version("east", journal, 1.0) is None
    for number, release in enumerate((V1, V2), start=1):
        journal.record_stable(Stable("blue", release), at=float(number))
    assert read_version("east", journal, 1.0) == RegionVersion("east", V2, V1)
    lease = journal.take_lease(describe_self("deploy v3", 1.0), now=1.0, ttl_seconds=5.0)
    journal.save(STUCK, [], lease=lease, revision=0)
    assert read_version("east", journal, 2.0) == RegionVersion("east", V2, V1, STUCK, is_busy=True)
    journal.release_lease(lease)
    assert read_version("east", journal, 2.0) == RegionVersion("east", V2, V1, STUCK)
