from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.outbox import Outbox
from tests.unit.session.vectors import cases


@cases("outbox")
def test_vector(steps: list[dict[str, Any]]) -> None:
    outbox = Outbox()
    for step in steps:
        match step["do"]:
            case "add":
                assert outbox.add(step["text"]).n == step["n"]
            case "acknowledge":
                assert outbox.acknowledge(step["n"]) == step["gives"]
            case "pending":
                assert [message.n for message in outbox.pending()] == step["is"]
            case "resend_from":
                assert [m.n for m in outbox.resend_from(step["expected"])] == step["is"]
            case other:
                pytest.fail(f"unknown step {other}")


class LogModel:
    """The server's rule of docs/protocol.md for one client."""

    def __init__(self) -> None:
        self.log: list[int] = []

    def take(self, n: int) -> bool:
        """Take a message; False for a gap."""
        last_n = self.log[-1] if self.log else 0
        if last_n and n > last_n + 1:
            return False
        if n > last_n:
            self.log.append(n)
        return True


@pytest.mark.spec("A4")
@given(st.data())
def test_any_interleaving_of_connections_delivers_every_n_once_in_order(
    data: st.DataObject,
) -> None:
    outbox, model = Outbox(), LogModel()
    connections: list[list[int]] = [[]]
    acks: list[int] = []
    sent = 0
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["send", "arrive", "arrive", "ack", "reconnect", "break"])):
            case "send":
                sent += 1
                connections[-1].append(outbox.add("x").n)
            case "arrive":
                wire = data.draw(st.sampled_from(connections))
                if wire:
                    n = wire.pop(0)
                    if model.take(n):
                        acks.append(n)
                    elif wire is connections[-1]:
                        expected = model.log[-1] + 1
                        wire[:] = [message.n for message in outbox.resend_from(expected)]
            case "ack":
                if acks:
                    outbox.acknowledge(acks.pop(data.draw(st.integers(0, len(acks) - 1))))
            case "reconnect":
                outbox.acknowledge(model.log[-1] if model.log else 0)
                connections.append([message.n for message in outbox.pending()])
            case "break":
                # What was in flight on the newest connection is lost, and a new one is made.
                connections[-1].clear()
                outbox.acknowledge(model.log[-1] if model.log else 0)
                connections.append([message.n for message in outbox.pending()])
    for wire in connections:
        for n in wire:
            model.take(n)
    assert model.log == list(range(1, sent + 1))


@given(st.lists(st.integers(0, 30)), st.integers(0, 20))
def test_each_n_is_acknowledged_once_and_in_order(acks: list[int], count: int) -> None:
    outbox = Outbox()
    for _ in range(count):
        outbox.add("x")
    given_numbers = [n for ack in acks for n in outbox.acknowledge(ack)]
    assert given_numbers == list(range(1, min(max(acks, default=0), count) + 1))
    assert len(outbox) == count - len(given_numbers)
