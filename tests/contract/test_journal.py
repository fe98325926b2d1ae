"""What every journal does: the file's, the table's and the fake."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from isshoni.engine.errors import LeaseHeld, LeaseLost
from isshoni.engine.failover_journal import FailoverJournal, SavedFailover, SqliteFailovers
from isshoni.engine.journal import Journal, Listed, Record
from isshoni.engine.lease import Holder, Lease, describe_self
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.dynamo_journal import DynamoJournal
from isshoni.environments.aws.region_journal import DynamoFailovers
from isshoni.environments.aws.shared_clock import SharedClock
from isshoni.rollout.failover.model import Failover
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollback, Rollout, begin_rollout, end_rollout
from isshoni.rollout.summary import ReleaseSummary, RollbackSummary
from tests.support.aws.tables import make_table
from tests.support.memory_journal import MemoryJournal

BLUE = Stable("blue", Release("v1"))
GREEN = Stable("green", Release("v2"))


class OneClock(SharedClock):
    """The clock of one machine, which the tests set."""

    def measure(self, date: str | None) -> None:
        """Keep to it."""


def make_file(request: pytest.FixtureRequest) -> SqliteJournal:
    return SqliteJournal(request.getfixturevalue("tmp_path") / "j.db")


def make_dynamo(request: pytest.FixtureRequest) -> DynamoJournal:
    api: AwsApi = request.getfixturevalue("aws_api")
    return DynamoJournal(api, make_table(api), OneClock())


def make_memory(request: pytest.FixtureRequest) -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture(params=[make_file, make_dynamo, make_memory], ids=["file", "table", "memory"])
def journal(request: pytest.FixtureRequest) -> Iterator[Journal]:
    made: Journal = request.param(request)
    yield made
    made.close()


def a_rollout(id: str = "r1") -> Rollout:
    return begin_rollout(id, GREEN.release, RolloutPlan(), BLUE, 10.0)


def take(journal: Journal, now: float = 0.0, holder: Holder | None = None) -> Lease:
    return journal.take_lease(holder or describe_self("deploy v2", now), now=now, ttl_seconds=5)


def elsewhere(host: str = "elsewhere") -> Holder:
    return replace(describe_self("deploy v2", 0.0), host=host)


@pytest.mark.spec("C7")
def test_second_lease_names_holder_and_what_it_does(journal: Journal) -> None:
    take(journal)
    with pytest.raises(LeaseHeld, match=r"deploy v2.*isshoni rollback") as held:
        take(journal, 1.0)
    assert held.value.holder.what == "deploy v2"


def test_released_lease_can_be_taken_and_has_a_greater_epoch(journal: Journal) -> None:
    first = take(journal)
    journal.release_lease(first)
    assert journal.read_lease() is None
    assert take(journal).epoch > first.epoch


def test_lease_expires_unless_renewed(journal: Journal) -> None:
    lease = take(journal, 0.0, elsewhere())
    journal.renew_lease(lease, now=4.0, ttl_seconds=5)
    with pytest.raises(LeaseHeld):
        take(journal, 8.9)
    take(journal, 9.0)


def test_lease_of_a_dead_process_on_this_host_is_free_at_once(journal: Journal) -> None:
    reborn = replace(describe_self("x", 0.0), identity="of an earlier process of this pid")
    take(journal, 0.0, reborn)
    take(journal, 0.1)


def test_holder_that_lost_its_lease_can_neither_renew_nor_save(journal: Journal) -> None:
    lost = take(journal)
    revision = journal.save(a_rollout(), [], lease=lost, revision=0)
    taken = take(journal, 6.0)
    with pytest.raises(LeaseLost):
        journal.renew_lease(lost, now=6.1, ttl_seconds=5)
    with pytest.raises(LeaseLost):
        journal.save(a_rollout(), [], lease=lost, revision=revision)
    journal.release_lease(lost)
    assert journal.save(a_rollout(), [], lease=taken, revision=revision) == revision + 1


def test_save_of_an_old_revision_changes_nothing(journal: Journal) -> None:
    lease = take(journal)
    journal.save(a_rollout(), [], lease=lease, revision=0)
    journal.save(replace(a_rollout(), paused_by="ann"), [], lease=lease, revision=1)
    record = Record(9, 1.0, 1, "act", "late")
    with pytest.raises(LeaseLost):
        journal.save(a_rollout(), [record], lease=lease, revision=1, stable=GREEN)
    saved = journal.read_rollout("r1")
    assert saved is not None
    assert (saved.rollout.paused, saved.revision) == (True, 2)
    assert journal.read_records("r1") == []
    assert journal.read_stable() is None


def test_saved_rollout_comes_back_whole_with_its_records(journal: Journal) -> None:
    lease = take(journal)
    records = [Record(1, 10.0, 1, "act", "prepare v2", {"a": 1}), Record(2, 11.0, 2, "act", "b")]
    journal.save(a_rollout(), records, lease=lease, revision=0)
    saved = journal.read_latest()
    assert saved is not None
    assert saved.rollout == a_rollout()
    assert journal.read_records("r1") == records
    assert journal.read_records("r1", after_turn=1) == records[1:]


def test_latest_and_list_are_newest_first(journal: Journal) -> None:
    lease = take(journal)
    for id in ("r1", "r2"):
        ended = end_rollout(a_rollout(id), "rolled_back", "because", 20.0)
        journal.save(ended, [], lease=lease, revision=0)
    latest = journal.read_latest()
    assert latest is not None and latest.rollout.id == "r2"
    assert [r.id for r in journal.list_rollouts(5)] == ["r2", "r1"]
    assert [r.id for r in journal.list_rollouts(1)] == ["r2"]


def test_rollouts_are_listed_page_by_page(journal: Journal) -> None:
    lease = take(journal)
    for id in ("r1", "r2", "r3", "r4"):
        ended = end_rollout(a_rollout(id), "rolled_back", "because", 20.0)
        journal.save(ended, [], lease=lease, revision=0)
    assert [r.id for r in journal.list_rollouts(2, before="r4")] == ["r3", "r2"]
    assert [r.id for r in journal.list_rollouts(2, before="r2")] == ["r1"]
    assert journal.list_rollouts(2, before="r1") == []
    assert journal.list_rollouts(2, before="unknown") == []


def test_revisions_are_listed_like_the_rollouts_and_grow_with_each_save(journal: Journal) -> None:
    lease = take(journal)
    for began, id in enumerate(("r1", "r3", "r2")):
        ended = end_rollout(replace(a_rollout(id), began=began), "stuck", "because", 20.0)
        journal.save(ended, [], lease=lease, revision=0)
    assert journal.list_revisions(2) == [Listed("r2", 1), Listed("r3", 1)]
    journal.save(
        end_rollout(a_rollout("r1"), "rolled_back", "why", 30.0), [], lease=lease, revision=1
    )
    assert journal.list_revisions(9) == [Listed("r2", 1), Listed("r3", 1), Listed("r1", 2)]
    assert journal.list_revisions(1, before="r2") == [Listed("r3", 1)]
    assert journal.list_revisions(2, before="r1") == []
    assert journal.list_revisions(2, before="unknown") == []


def test_summaries_are_those_of_the_rollouts_at_their_present_revision(journal: Journal) -> None:
    lease = take(journal)
    release = Release("v2", content="git-0123456789abcdef")
    begun = replace(a_rollout("r1"), release=release, returning=True)
    back = Rollback(began=12.0, reason="died", traffic_home=12.5)
    for id in ("r1", "r2", "r3"):
        journal.save(
            end_rollout(replace(begun, id=id), "stuck", "x", 20.0), [], lease=lease, revision=0
        )
    ended = end_rollout(replace(begun, rollback=back), "rolled_back", "why", 30.5)
    journal.save(ended, [], lease=lease, revision=1)
    read = journal.read_summaries(["r1", "r3", "unknown"])
    assert set(read) == {Listed("r1", 2), Listed("r3", 1)}
    summary = read[Listed("r1", 2)]
    assert (summary.id, summary.candidate, summary.outcome) == ("r1", "green", "rolled_back")
    assert (summary.began, summary.ended, summary.reason) == (10.0, 30.5, "why")
    assert summary.release == ReleaseSummary("v2", "git-0123456789abcdef")
    assert summary.stable.release == ReleaseSummary("v1")
    assert summary.rollback == RollbackSummary(12.0, 12.5, None)
    assert summary.returning
    assert journal.read_summaries([]) == {}


def test_requests_are_read_once_by_their_ids(journal: Journal) -> None:
    number = journal.file_request("r1", "pause", who="ann", at=1.0)
    journal.file_request("r2", "abort", who="bob", at=2.0)
    journal.file_request("r1", "rollback", who="cy", at=3.0)
    first, second = journal.read_requests("r1", after=0)
    assert (first.kind, first.who, second.kind) == ("pause", "ann", "rollback")
    assert first.id == number
    assert journal.read_requests("r1", after=first.id) == [second]


def test_previous_is_the_last_stable_of_another_release(journal: Journal) -> None:
    assert journal.read_stable() is None
    assert journal.read_previous() is None
    journal.record_stable(BLUE, at=1.0)
    assert journal.read_previous() is None
    journal.save(a_rollout(), [], lease=take(journal), revision=0, stable=GREEN)
    journal.record_stable(Stable("blue", GREEN.release), at=3.0)
    assert journal.read_previous() == BLUE


def test_a_release_that_was_rolled_back_is_no_longer_the_previous_one(journal: Journal) -> None:
    bad = Stable("blue", replace(GREEN.release, content="git-" + "b" * 40))
    for stable in (BLUE, GREEN, bad, replace(GREEN, returned=True)):
        journal.record_stable(stable, at=1.0)
    assert journal.read_stable() == GREEN
    assert journal.read_previous() == BLUE
    assert journal.list_stables() == [GREEN, BLUE]
    journal.record_stable(replace(BLUE, returned=True), at=2.0)
    assert journal.read_previous() is None


def test_two_contents_of_one_label_and_source_are_two_releases(journal: Journal) -> None:
    one, two = (
        Stable("blue", Release("app", source="/app", content=f"directory-{digit * 64}"))
        for digit in "12"
    )
    journal.record_stable(one, at=1.0)
    journal.record_stable(two, at=2.0)
    assert journal.read_previous() == one


def test_note_needs_no_lease_and_is_read_with_the_rollouts_records(journal: Journal) -> None:
    lease = take(journal)
    saved = [Record(1, 10.0, 1, "step_done", "all is well")]
    journal.save(a_rollout(), saved, lease=lease, revision=0)
    journal.release_lease(lease)
    journal.note("r1", Record(0, 11.0, 1, "notification_fault", "no answer"))
    journal.note("unknown", Record(0, 11.0, 1, "notification_fault", "no answer"))
    noted = Record(1, 11.0, 1, "notification_fault", "no answer")
    assert journal.read_records("r1") == [*saved, noted]
    assert journal.read_records("unknown") == []


def make_failovers_file(request: pytest.FixtureRequest) -> SqliteFailovers:
    return SqliteFailovers(request.getfixturevalue("tmp_path") / "failovers.db")


def make_failovers_table(request: pytest.FixtureRequest) -> DynamoFailovers:
    api: AwsApi = request.getfixturevalue("aws_api")
    return DynamoFailovers(api, make_table(api), OneClock())


@pytest.fixture(params=[make_failovers_file, make_failovers_table], ids=["file", "table"])
def failovers(request: pytest.FixtureRequest) -> Iterator[FailoverJournal]:
    made: FailoverJournal = request.param(request)
    yield made
    made.close()


def test_failovers_are_stored_in_their_order(failovers: FailoverJournal) -> None:
    assert failovers.read_latest_failover() is None
    lease = failovers.take_lease(describe_self("fail over", 0.0), now=0.0, ttl_seconds=5)
    first = Failover("f1", "planned", "east", "west", 10.0, bounds={"promote": 300.0})
    second = replace(first, id="f2", source="west", target="east", began=20.0)
    assert failovers.save_failover(first, [], lease=lease, revision=0) == 1
    assert failovers.save_failover(second, [], lease=lease, revision=0) == 1
    ended = replace(first, outcome="promoted", term=4)
    record = Record(2, 11.0, 1, "step_done", "done", {"title": "read"})
    assert failovers.save_failover(ended, [record], lease=lease, revision=1) == 2
    assert failovers.read_latest_failover() == SavedFailover(second, 1)
    assert failovers.list_failovers(5) == [second, ended]
    assert failovers.list_failovers(1) == [second]
    assert failovers.read_records("f1") == [record]


def test_failover_is_saved_only_with_its_lease_and_revision(failovers: FailoverJournal) -> None:
    lost = failovers.take_lease(describe_self("fail over", 0.0), now=0.0, ttl_seconds=5)
    begun = Failover("f1", "planned", "east", "west", 10.0)
    failovers.save_failover(begun, [], lease=lost, revision=0)
    with pytest.raises(LeaseLost):
        failovers.save_failover(begun, [], lease=lost, revision=7)
    taken = failovers.take_lease(elsewhere(), now=6.0, ttl_seconds=5)
    with pytest.raises(LeaseLost):
        failovers.save_failover(begun, [], lease=lost, revision=1)
    assert failovers.save_failover(begun, [], lease=taken, revision=1) == 2
