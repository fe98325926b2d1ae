"""The verdict follows from the evidence."""

import dataclasses
from typing import Any

import msgspec
import pytest

from isshoni.verify.percentiles import Percentiles
from isshoni.verify.result import (
    DeliveryMs,
    Deploy,
    Edits,
    GapMs,
    LongCut,
    Messages,
    WireMessages,
)
from isshoni.verify.sla import Evidence, SlaLimits, assess_sla

GOOD = Evidence(
    messages=Messages(100, 100, 1000, 0, 0, 0),
    wire=WireMessages(),
    edits=Edits(10, 10, 0, 0),
    gap_ms=GapMs(0.0, 0.0, 0.0, 0),
    delivery_ms=DeliveryMs(Percentiles(1, 5, 9, 50), Percentiles(1, 50, 90, 50)),
    deploys=(Deploy("v2", "promoted", "promoted", 1.0, 9.0, 3.0),),
)


def _with(part: str, **changes: Any) -> Evidence:
    changed = msgspec.structs.replace(getattr(GOOD, part), **changes)
    return dataclasses.replace(GOOD, **{part: changed})


@pytest.mark.spec("E2")
def test_a_run_without_fault_meets_the_sla_and_our_own_targets() -> None:
    sla = assess_sla(GOOD, SlaLimits(), strict=True)
    assert sla.met
    assert sla.failed == ()


@pytest.mark.spec("E1", "E2")
@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (_with("messages", lost=3), "Messages lost: 3 of 100 acknowledged"),
        (_with("messages", doubled=1), "Messages doubled: 1"),
        (_with("messages", reordered=1), "Messages reordered: 1"),
        (_with("messages", foreign=1), "Messages that no user sent: 1"),
        (_with("messages", acked=99), "Messages not acknowledged: 1"),
        (_with("wire", lost=1), "Events skipped on a connection: 1"),
        (_with("wire", doubled=1), "Events repeated on a connection: 1"),
        (_with("wire", reordered=1), "Events late on a connection: 1"),
        (_with("edits", lost=2), "Edits lost: 2"),
        (_with("edits", saved=9), "Edits not saved: 1"),
        (_with("edits", foreign=2), "Elements that no user drew: 2"),
        (_with("edits", diverged_sessions=1), "Sessions whose canvases differ: 1"),
        (_with("gap_ms", max=5000.0, clients_cut=4), "Lost connection per deploy: 5.00 s"),
        (
            dataclasses.replace(GOOD, deploys=(Deploy("v2", "promoted", "rolled_back", 1, 9, 3),)),
            "Deploy of v2: rolled_back",
        ),
        (
            dataclasses.replace(
                GOOD, deploys=(Deploy("v2", "rolled_back", "rolled_back", 1, 9, 3, 60.0),)
            ),
            "Rollback of v2: 60.0 s",
        ),
        (
            dataclasses.replace(GOOD, long_cuts=(LongCut("c-1", 1.0, 12.0, "Redis", "why"),)),
            "c-1 was cut for 12.0 s: why.",
        ),
        (dataclasses.replace(GOOD, trouble=("No client joined.",)), "No client joined."),
    ],
)
def test_each_broken_promise_fails_the_run_in_words(evidence: Evidence, words: str) -> None:
    sla = assess_sla(evidence, SlaLimits())
    assert not sla.met
    assert any(sentence.startswith(words) for sentence in sla.failed), sla.failed


@pytest.mark.parametrize(
    "evidence",
    [
        _with("gap_ms", max=40.0, clients_cut=1),
        _with("delivery_ms", moving=Percentiles(1, 106, 200, 50)),
    ],
    ids=["gap", "delay"],
)
def test_our_own_targets_count_only_when_strict(evidence: Evidence) -> None:
    assert assess_sla(evidence, SlaLimits()).met
    assert not assess_sla(evidence, SlaLimits(), strict=True).met
