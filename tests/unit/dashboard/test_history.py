"""The list of rollouts: what it shows, and what it reads again."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from isshoni.dashboard.history import RolloutList
from isshoni.dashboard.reasons import read_reasons
from isshoni.engine.journal import Listed
from isshoni.engine.lease import Lease, describe_self
from isshoni.engine.report import report_rollout
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollback, Rollout, begin_rollout, end_rollout
from isshoni.rollout.summary import RolloutSummary
from tests.support.memory_journal import MemoryJournal

V2 = Release("v2", content="git-0123456789abcdef")
REASON = "v2 on green is the stable one"


class CountingJournal(MemoryJournal):
    """Remembers the ids whose summaries were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def read_summaries(self, rollout_ids: Sequence[str]) -> dict[Listed, RolloutSummary]:
        self.read += rollout_ids
        return super().read_summaries(rollout_ids)

    def forget_reads(self) -> None:
        self.read.clear()


def lease_of(journal: MemoryJournal) -> Lease:
    return journal.take_lease(describe_self("deploy v2", 0.0), now=0.0, ttl_seconds=1e9)


def begin(id: str) -> Rollout:
    return begin_rollout(id, V2, RolloutPlan(), Stable("blue", Release("v1")), 10.0)


def save_ended(journal: MemoryJournal, lease: Lease, *ids: str) -> None:
    for id in ids:
        journal.save(end_rollout(begin(id), "promoted", REASON, 20.0), [], lease=lease, revision=0)


async def test_finished_rollouts_are_read_once() -> None:
    journal = CountingJournal()
    save_ended(journal, lease_of(journal), "r1", "r2")
    rollouts = RolloutList(journal)
    first = await rollouts.list_rows(30.0, 10)
    assert [row["id"] for row in first] == ["r2", "r1"]
    assert await rollouts.list_rows(99.0, 10) == first
    assert await rollouts.list_rows(99.0, 10, before="r2") == first[1:]
    assert journal.read == ["r2", "r1"]


async def test_rows_are_those_of_the_whole_rollouts() -> None:
    journal = MemoryJournal()
    back = Rollback(began=12.0, reason="died", traffic_home=12.5)
    rollout = replace(begin("r1"), rollback=back, returning=True)
    rollout = end_rollout(rollout, "rolled_back", "green died", 20.1234)
    journal.save(rollout, [], lease=lease_of(journal), revision=0)
    (row,) = await RolloutList(journal).list_rows(30.0, 10)
    report = report_rollout(rollout, 30.0).to_json()
    shared = set(row) & set(report)
    assert shared >= set(row) - {"live", "reasons"}
    assert {name: row[name] for name in shared} == {name: report[name] for name in shared}
    assert row["reasons"] == [asdict(reason) for reason in read_reasons("green died")]


async def test_running_rollout_is_read_after_each_save_and_lasts_until_now() -> None:
    journal = CountingJournal()
    lease = lease_of(journal)
    journal.save(begin("r1"), [], lease=lease, revision=0)
    rollouts = RolloutList(journal)
    assert [row["seconds"] for row in await rollouts.list_rows(15.0, 10)] == [5.0]
    assert [row["seconds"] for row in await rollouts.list_rows(16.0, 10)] == [6.0]
    assert journal.read == ["r1"]
    journal.save(end_rollout(begin("r1"), "promoted", REASON, 20.0), [], lease=lease, revision=1)
    (row,) = await rollouts.list_rows(99.0, 10)
    assert (row["outcome"], row["seconds"]) == ("promoted", 10.0)


async def test_finished_rollout_that_another_process_saves_again_is_read_again() -> None:
    journal = CountingJournal()
    lease = lease_of(journal)
    save_ended(journal, lease, "r1", "r2")
    readers = [RolloutList(journal), RolloutList(journal)]
    for rollouts in readers:
        await rollouts.list_rows(30.0, 10)
    journal.forget_reads()
    repaired = end_rollout(begin("r1"), "rolled_back", "repaired", 40.0)
    journal.save(repaired, [], lease=lease, revision=1)
    for rollouts in readers:
        rows = await rollouts.list_rows(50.0, 10)
        assert [row["outcome"] for row in rows] == ["promoted", "rolled_back"]
    assert journal.read == ["r1", "r1"]


async def test_only_the_rollout_that_brought_what_serves_now_is_live() -> None:
    journal = MemoryJournal()
    save_ended(journal, lease_of(journal), "r1", "r2")
    rollouts = RolloutList(journal)
    assert [row["live"] for row in await rollouts.list_rows(30.0, 10)] == [False, False]
    journal.record_stable(Stable("green", V2, since=20.0), at=20.0)
    assert all(row["live"] for row in await rollouts.list_rows(30.0, 10))
    journal.record_stable(Stable("blue", Release("v3"), since=50.0), at=50.0)
    assert not any(row["live"] for row in await rollouts.list_rows(60.0, 10))


async def test_rollouts_kept_are_bounded_and_those_used_last_stay() -> None:
    journal = CountingJournal()
    save_ended(journal, lease_of(journal), "r1", "r2", "r3", "r4")
    rollouts = RolloutList(journal, max_kept=2)
    assert len(await rollouts.list_rows(30.0, 10)) == 4
    journal.forget_reads()
    await rollouts.list_rows(30.0, 1)
    assert journal.read == ["r4"]  # the oldest two were kept: they were read last
    journal.forget_reads()
    await rollouts.list_rows(30.0, 1)
    assert journal.read == []
