"""Which deliveries are counted as quiet, and which as those of a deploy."""

from isshoni.verify.assemble import DeployRecord, assemble
from isshoni.verify.clock import RunClock
from isshoni.verify.collected import Collected
from isshoni.verify.latency import LatencySeries
from isshoni.verify.ports import COMMAND_PHASE, DeployReport, PhaseSpan
from isshoni.verify.result import ClientSpan, ClientTimeline, Edits, Messages, WireMessages
from isshoni.verify.settings import PlannedDeploy, RunSettings

CLOCK = RunClock(0.0, 1000.0)


def collect(cuts: list[tuple[float, float]], deliveries: dict[float, float]) -> Collected:
    """Make the findings of clients that were cut, and deliveries: sent at → took seconds."""
    latency = LatencySeries()
    for sent_at, took in deliveries.items():
        latency.record(sent_at, sent_at + took)
    rows = tuple(ClientTimeline("c", "r", 0.0, (ClientSpan(*cut),)) for cut in cuts)
    nothing = Messages(0, 0, 0, 0, 0, 0)
    edits = Edits(0, 0, 0, 0)
    return Collected(nothing, WireMessages(), edits, rows, (), (), latency.to_bytes())


def deploy(began: float, ended: float, phase: str) -> DeployRecord:
    spans = (PhaseSpan(phase, 1000.0 + began, 1000.0 + ended),)
    return DeployRecord(PlannedDeploy("v2"), DeployReport("done", phases=spans), began, ended)


def test_a_command_lasts_until_the_clients_that_it_cut_are_back() -> None:
    collected = collect([(11.0, 14.0), (30.0, 31.0)], {5.0: 0.01, 11.5: 2.5, 13.0: 1.0, 20.0: 0.02})
    deploys = [deploy(10.0, 12.0, COMMAND_PHASE), deploy(25.0, 26.0, COMMAND_PHASE)]
    result = assemble(
        url="ws://h",
        settings=RunSettings(),
        clock=CLOCK,
        collected=collected,
        deploys=deploys,
        ended_at=40.0,
    )
    assert (result.delivery_ms.moving.count, result.delivery_ms.quiet.count) == (2, 2)
    assert (result.delivery_ms.moving.max, result.delivery_ms.quiet.max) == (2500.0, 20.0)


def test_a_deploy_of_ours_moves_clients_in_its_own_phases_only() -> None:
    result = assemble(
        url="ws://h",
        settings=RunSettings(),
        clock=CLOCK,
        collected=collect([], {9.0: 0.01, 10.5: 0.02, 12.5: 0.03}),
        deploys=[deploy(10.0, 12.0, "migrate")],
        ended_at=20.0,
    )
    assert (result.delivery_ms.moving.count, result.delivery_ms.quiet.count) == (1, 2)
