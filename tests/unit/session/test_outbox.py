from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.chat_content import read_about, read_files
from isshoni.session.from_server import ChatEvent
from isshoni.session.messages import Chat, Position
from isshoni.session.outbox import SENT_KEPT, Outbox
from isshoni.session.outbox_state import OutboxState, Restored
from tests.unit.session.vectors import cases


def to_content(message: Chat) -> dict[str, Any]:
    """Return a message as JSON, without its n."""
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(message))
    return {key: content[key] for key in content if key in ("text", "about", "files")}


@cases("outbox")
def test_vector(steps: list[dict[str, Any]]) -> None:
    outbox = Outbox()
    for step in steps:
        match step["do"]:
            case "add":
                about, files = read_about(step.get("about")), read_files(step.get("files"))
                assert outbox.add(step["text"], about, files).n == step["n"]
            case "content":
                assert [to_content(message) for message in outbox.pending()] == step["is"]
            case "acknowledge":
                assert outbox.acknowledge(step["n"]) == step["gives"]
            case "settle":
                changed = outbox.settle(step["last_n"])
                assert changed == {old: new for old, new in step["renumbers"]}
            case "answer":
                assert outbox.answer(step["n"], is_resend=step["resend"]) == step["gives"]
            case "notice":
                extras: Any = {"about": step.get("about"), "files": step.get("files")}
                event = ChatEvent(1, "c-1", step["n"], step["text"], **extras)
                noticed = outbox.notice(event)
                assert noticed.acknowledged == step["acknowledges"]
                assert noticed.is_foreign == step.get("foreign", False)
                assert noticed.renumbered == {old: new for old, new in step["renumbers"]}
            case "due":
                due = outbox.due(step["from"])
                assert [message.n for message in due] == step["is"]
                at = step.get("at")
                outbox.note_sent(due, Position(**at) if at else None)
            case "doubt":
                asked = step.get("asked")
                stand = Position(**step["stand"])
                restored = Restored(step["mode"], step["last_n"], stand, step["first"])
                doubt = outbox.assess_doubt(Position(**asked) if asked else None, restored)
                assert doubt == step["is"]
            case "withdraw_sent":
                assert [message.n for message in outbox.withdraw_sent()] == step["is"]
            case "withdraw":
                withdrawn = outbox.withdraw(step["n"])
                if withdrawn is None:
                    assert step["gives"] is None
                else:
                    assert withdrawn.message.text == step["gives"]
                    assert withdrawn.renumbered == {old: new for old, new in step["renumbers"]}
            case "reload":
                stored = msgspec.json.encode(outbox.to_state("c-1"))
                outbox = Outbox.from_state(msgspec.json.decode(stored, type=OutboxState))
            case "take_back":
                assert outbox.take_back(step["last_n"]) == step["gives"]
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
    outbox.settle(0)
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
    outbox.settle(0)
    for _ in range(count):
        outbox.add("x")
    given_numbers = [n for ack in acks for n in outbox.acknowledge(ack)]
    assert given_numbers == list(range(1, min(max(acks, default=0), count) + 1))
    assert len(outbox) == count - len(given_numbers)


@pytest.mark.spec("A4")
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_what_a_log_lost_is_sent_again_and_acknowledged_in_silence(
    sent: int, acknowledged: int, kept_by_log: int
) -> None:
    acknowledged, outbox = min(acknowledged, sent), Outbox()
    kept_by_log = min(kept_by_log, acknowledged)
    outbox.settle(0)
    for _ in range(sent):
        outbox.add("x")
    assert outbox.acknowledge(acknowledged) == list(range(1, acknowledged + 1))
    assert outbox.take_back(kept_by_log) == acknowledged - kept_by_log
    assert [message.n for message in outbox.pending()] == list(range(kept_by_log + 1, sent + 1))
    assert outbox.can_send_from(kept_by_log + 1)
    assert outbox.acknowledge(sent) == list(range(acknowledged + 1, sent + 1))
    assert outbox.add("next").n == sent + 1


def test_what_is_too_old_to_be_kept_cannot_fill_a_gap_and_is_counted_anew() -> None:
    outbox = Outbox()
    outbox.settle(0)
    for number in range(SENT_KEPT + 10):
        outbox.add(str(number))
    outbox.acknowledge(SENT_KEPT + 9)
    assert outbox.take_back(3) == SENT_KEPT
    assert not outbox.can_send_from(4)
    outbox.renumber()
    pending = outbox.pending()
    assert [message.n for message in pending] == list(range(1, SENT_KEPT + 2))
    assert [pending[0].text, pending[-1].text] == ["9", str(SENT_KEPT + 9)]
    assert outbox.acknowledge(SENT_KEPT + 1) == list(range(1, SENT_KEPT + 2))
