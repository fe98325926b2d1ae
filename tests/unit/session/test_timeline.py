from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.messages import Position
from isshoni.session.timeline import Delivery, Timeline
from tests.unit.session.vectors import cases


@dataclass(frozen=True)
class Event:
    seq: int


def _position(fields: dict[str, Any] | None) -> Position | None:
    return Position(**fields) if fields else None


def _seqs(delivery: Delivery[Event]) -> list[int]:
    return [event.seq for event in delivery.events]


@cases("timeline")
def test_vector(steps: list[dict[str, Any]]) -> None:
    timeline: Timeline[Event] = Timeline()
    for step in steps:
        if step["do"] == "restore":
            stand = Position(**step["stand"])
            history = [Event(seq) for seq in step["history"]]
            delivery = timeline.restore(_position(step["asked"]), step["mode"], stand, history)
        else:
            delivery = timeline.receive(step["epoch"], Event(step["seq"]))
        assert {
            "events": _seqs(delivery),
            "holes": [[hole.first, hole.last] for hole in delivery.holes],
            "restarted": delivery.restarted,
            "behind": delivery.is_behind,
        } == {"behind": False, **step["gives"]}
        assert timeline.position == _position(step["position"])


@pytest.mark.spec("A4", "B2")
@given(st.data())
def test_any_interleaving_of_connections_delivers_every_seq_once_in_order(
    data: st.DataObject,
) -> None:
    """Each connection is restored at some time and then brings what is logged after."""
    timeline: Timeline[Event] = Timeline()
    delivered = _seqs(timeline.restore(None, "full", Position("a", 0), []))
    head = 0
    next_seq = [1]
    for _ in range(data.draw(st.integers(1, 60))):
        match data.draw(st.sampled_from(["log", "arrive", "arrive", "connect"])):
            case "log":
                head += 1
            case "arrive":
                wire = data.draw(st.integers(0, len(next_seq) - 1))
                if next_seq[wire] <= head:
                    delivery = timeline.receive("a", Event(next_seq[wire]))
                    assert not delivery.holes
                    delivered += _seqs(delivery)
                    next_seq[wire] += 1
            case "connect":
                asked = timeline.position
                assert asked is not None
                history = [Event(seq) for seq in range(asked.seq + 1, head + 1)]
                delivery = timeline.restore(asked, "replay", Position("a", head), history)
                assert not delivery.holes
                delivered += _seqs(delivery)
                next_seq.append(head + 1)
    for first in next_seq:
        for seq in range(first, head + 1):
            delivered += _seqs(timeline.receive("a", Event(seq)))
    assert delivered == list(range(1, head + 1))


@given(st.lists(st.integers(1, 12), max_size=30))
def test_whatever_a_faulty_server_sends_nothing_is_doubled_or_swapped(seqs: list[int]) -> None:
    timeline: Timeline[Event] = Timeline()
    timeline.restore(None, "full", Position("a", 0), [])
    delivered: list[int] = []
    for seq in seqs:
        delivery = timeline.receive("a", Event(seq))
        assert not (delivery.holes and delivery.events)
        delivered += _seqs(delivery)
    assert delivered == list(range(1, len(delivered) + 1))


@given(st.data())
def test_a_client_at_rest_has_every_event_that_it_was_shown_in_whatever_order(
    data: st.DataObject,
) -> None:
    """Frames of one connection overtake one another, also the answers to its restores."""
    timeline: Timeline[Event] = Timeline()
    delivered = _seqs(timeline.restore(None, "full", Position("a", 0), []))
    head, shown, is_restoring = data.draw(st.integers(1, 8)), 0, False
    under_way: list[Event | Position] = [Event(seq) for seq in range(1, head + 1)]
    while under_way:
        frame = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        if isinstance(frame, Event):
            delivery = timeline.receive("a", frame)
            shown = max(shown, frame.seq)
            asks = bool(delivery.holes) and not is_restoring
        else:
            history = [Event(seq) for seq in range(1, frame.seq + 1)]
            delivery = timeline.restore(timeline.position, "replay", frame, history)
            is_restoring, asks = False, delivery.is_behind
        delivered += _seqs(delivery)
        if asks:
            is_restoring = True
            under_way.append(Position("a", data.draw(st.integers(shown, head))))
    assert delivered == list(range(1, head + 1))
