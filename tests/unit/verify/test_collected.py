"""Findings of several processes, as one."""

import msgspec
import pytest

from isshoni.verify.assemble import DeployRecord, assemble
from isshoni.verify.clock import RunClock
from isshoni.verify.collected import Collected, add_all
from isshoni.verify.latency import LatencySeries
from isshoni.verify.ports import DeployReport, PhaseSpan
from isshoni.verify.result import (
    ClientSpan,
    ClientTimeline,
    Edits,
    LongCut,
    Messages,
    WireMessages,
)
from isshoni.verify.settings import PlannedDeploy, RunSettings


def _collected(name: str, deliveries: list[tuple[float, float]]) -> Collected:
    latency = LatencySeries()
    for sent_at, delivered_at in deliveries:
        latency.record(sent_at, delivered_at)
    return Collected(
        messages=Messages(10, 9, 20, lost=1, doubled=2, reordered=3, foreign=4),
        wire=WireMessages(5, 6, 7),
        edits=Edits(8, 7, 1, 1, (name,), 2),
        timelines=(ClientTimeline(name, name, 7.0, (ClientSpan(0.0, 9.0, "blue"),)),),
        long_cuts=(LongCut(name, 1.0, 11.0, "Redis", "at fault: Redis"),),
        trouble=(f"trouble of {name}",),
        deliveries=latency.to_bytes(),
        cpu_seconds=1.5,
    )


def test_every_finding_of_every_process_counts() -> None:
    parts = [_collected(name, [(1.0, 1.1)]) for name in ("a", "b", "c")]
    encoded = msgspec.msgpack.encode(parts)
    total = add_all(msgspec.msgpack.decode(encoded, type=list[Collected])).with_cpu(0.5)
    assert total.messages == Messages(30, 27, 60, lost=3, doubled=6, reordered=9, foreign=12)
    assert total.wire == WireMessages(15, 18, 21)
    assert total.edits == Edits(24, 21, 3, 3, ("a", "b", "c"), 6)
    assert [row.client_id for row in total.timelines] == ["a", "b", "c"]
    assert [cut.client_id for cut in total.long_cuts] == ["a", "b", "c"]
    assert total.trouble == ("trouble of a", "trouble of b", "trouble of c")
    assert len(LatencySeries.from_bytes(total.deliveries)) == 3
    assert total.cpu_seconds == 5.0


@pytest.mark.spec("E1")
def test_the_baseline_leaves_out_arrivals_and_deploys() -> None:
    """Slow deliveries while clients arrive must not pass for the quiet of before a deploy."""
    clock = RunClock()
    arriving = [(at / 10, at / 10 + 0.5) for at in range(50)]
    quiet = [(5 + at / 10, 5 + at / 10 + 0.01) for at in range(50)]
    moving = [(10 + at / 10, 10 + at / 10 + 0.03) for at in range(50)]
    unix = clock.started_at_unix
    report = DeployReport("promoted", phases=(PhaseSpan("migrate", unix + 10, unix + 15),))
    result = assemble(
        url="ws://127.0.0.1:1",
        settings=RunSettings(),
        clock=clock,
        collected=_collected("a", arriving + quiet + moving),
        deploys=[DeployRecord(PlannedDeploy("v2"), report, 10.0, 15.0)],
        ended_at=15.0,
        quiet_from=5.0,
    )
    found = result.delivery_ms
    assert (found.quiet.count, found.moving.count, found.quiet_from) == (50, 50, 5.0)
    assert found.quiet.p99 == pytest.approx(10, abs=0.1)
    assert found.moving.p99 == pytest.approx(30, abs=0.1)
