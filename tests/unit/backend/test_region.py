"""A process follows the record of which region may write, and nothing older undoes it."""

from collections.abc import Callable

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.region.region import Region, RegionRefused, WritesInFlight
from isshoni.backend.store.redis.link import NotWriter, WriteGate
from isshoni.backend.store.redis.region import RegionReading, Replication, parse_replication
from isshoni.session.region import RegionMac, RegionRecord

MACS = RegionMac("a secret of the tests, 32 bytes long")


class FakeRegionStore:
    """One record in memory."""

    def __init__(self) -> None:
        self.record: RegionRecord | None = None
        self.stamp = 0
        self.replication = Replication("master")
        self.fails = False
        self.rereads = 0

    async def read_region(self) -> RegionReading:
        if self.fails:
            raise StoreUnavailable("away")
        return RegionReading(self.record, self.stamp, None, self.replication)

    async def set_region(self, record: RegionRecord) -> RegionRecord | None:
        if self.fails:
            raise StoreUnavailable("away")
        held = self.record or RegionRecord(0)
        if record.term < held.term or (record.term == held.term and record != self.record):
            return held
        if record != self.record:
            self.record, self.stamp = record, 0
        return None

    async def stamp_region(self, term: int) -> int:
        self.stamp += 1
        return self.stamp

    async def beat_region(self, writer: str, now_ms: int) -> None:
        """Do nothing."""

    async def subscribe_region(self, listener: Callable[[], None]) -> None:
        """Do nothing."""

    def reread_sessions(self) -> None:
        self.rereads += 1

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Do nothing."""


def make() -> tuple[Region, FakeRegionStore, WriteGate]:
    store, gate = FakeRegionStore(), WriteGate()
    return Region("east", store, gate, MACS), store, gate


async def test_no_write_passes_before_the_record_was_read() -> None:
    region, store, gate = make()
    with pytest.raises(NotWriter, match="not read"):
        await gate.enter(0.0)
    store.fails = True
    with pytest.raises(StoreUnavailable):
        await region.refresh()
    assert not gate.is_open
    store.fails = False
    await region.refresh()
    assert (region.state, gate.is_open) == ("serving", True)


async def test_a_fence_is_stamped_only_once_no_write_is_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("isshoni.backend.region.region.IDLE_SECONDS", 0.01)
    region, store, gate = make()
    await region.refresh()
    await gate.enter(0.0)
    with pytest.raises(WritesInFlight):
        await region.set(RegionRecord(1))
    assert (region.state, store.stamp) == ("fenced", 0)
    gate.leave()
    await region.set(RegionRecord(1))
    assert region.status(None)["stamp"] == 1
    with pytest.raises(RegionRefused, match="term 1"):
        await region.set(RegionRecord(1, "east"))
    await region.set(RegionRecord(2, "east"))
    assert region.state == "serving"


async def test_a_replica_is_not_asked_to_set_the_record() -> None:
    region, store, _ = make()
    store.replication = Replication("slave", "up")
    with pytest.raises(RegionRefused, match="replica"):
        await region.set(RegionRecord(1, "east"))
    assert store.record is None


async def test_a_proof_overrules_the_record_until_redis_has_a_later_one() -> None:
    region, store, gate = make()
    store.record = RegionRecord(3, "east")
    await region.refresh()
    overruled: list[bool] = []
    region.on_overruled = lambda: overruled.append(True)
    store.fails = True
    assert await region.is_overruled_by(MACS.sign(RegionRecord(5, "west")))
    assert (overruled, region.state, gate.is_open) == ([True], "standby", False)
    store.fails = False
    await region.refresh()
    assert (region.term, region.state) == (5, "standby")
    assert not await region.is_overruled_by(MACS.sign(RegionRecord(4, "north")))
    store.record = RegionRecord(6, "east")
    await region.refresh()
    assert (region.term, region.state) == (6, "serving")
    assert overruled == [True]


async def test_sessions_are_read_again_when_redis_changes_its_role() -> None:
    region, store, _ = make()
    await region.refresh()
    assert store.rereads == 0
    store.replication = Replication("slave", "up")
    await region.refresh()
    store.replication = Replication("master")
    await region.refresh()
    assert store.rereads == 2


def test_the_replication_of_a_replica_is_read_from_info() -> None:
    info = {
        "role": "slave",
        "master_link_status": "down",
        "master_link_down_since_seconds": "7",
        "slave_read_repl_offset": "120",
        "slave_repl_offset": "100",
    }
    assert parse_replication(info) == Replication("slave", "down", 7.0, 20)
    assert parse_replication({"role": "master"}) == Replication("master")
    assert parse_replication({}) == Replication(None)
