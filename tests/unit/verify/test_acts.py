"""Replies, reactions, edits and deletions of synthetic users, and the judgement of them."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from isshoni.session.chat_content import CHAT_FEATURES, About
from isshoni.session.conversation import Conversation, Message
from isshoni.session.from_server import ChatEvent
from isshoni.verify.acts import Acts
from isshoni.verify.conversations import Conversations, Fold, fold_at_once, fold_backwards
from isshoni.verify.judge import judge
from isshoni.verify.ledger import Ledger

SESSION = "team"


def event(seq: int, client_id: str, n: int, text: str, about: object = None) -> ChatEvent:
    return ChatEvent(seq, client_id, n, text, seq, about=about)


def make_log(count: int) -> list[ChatEvent]:
    """Return a log that users who act a lot make."""
    rng = random.Random(7)
    acts = {name: Acts(name, rng, 0.6) for name in ("ann", "bob", "cyd")}
    sent: Counter[str] = Counter()
    log: list[ChatEvent] = []
    for seq in range(1, count + 1):
        name = rng.choice(list(acts))
        sent[name] += 1
        act = acts[name].invent(CHAT_FEATURES)
        text = (act and act.emoji) or f"{name} {sent[name]}"
        log.append(event(seq, name, sent[name], text, act.about if act else None))
        for one in acts.values():
            one.record(log[-1])
    return log


def test_users_do_everything_that_there_is_about_own_and_other_messages() -> None:
    log = make_log(400)
    kinds = Counter(one.about.kind for one in log if one.about)
    assert kinds.keys() == {"reply", "react", "unreact", "edit", "delete"}
    assert sum(kinds.values()) < 300
    messages = fold_at_once(log)
    assert any(message.edited for message in messages)
    assert any(message.deleted for message in messages)
    assert any(message.reactions for message in messages)
    assert any(one.about and one.about.client_id != one.client_id for one in log if one.about)


def test_users_do_only_what_their_server_takes() -> None:
    acts = Acts("ann", random.Random(1), 1.0)
    acts.record(event(1, "bob", 1, "hi"))
    assert acts.invent(()) is None
    done = [acts.invent(("reply",)) for _ in range(100)]
    assert {act.about.kind for act in done if act} == {"reply"}


@pytest.mark.parametrize("kept", ["whole", "without what it is about", "about another"])
def test_the_ledger_convicts_a_store_that_changes_what_a_message_is_about(kept: str) -> None:
    ledger = Ledger()
    ann = ledger.add_user("ann", SESSION)
    ledger.record_joined(ann, 0)
    ledger.record_features(CHAT_FEATURES)
    ledger.record_sent(ann, 1, "hello", 0.0)
    ledger.record_sent(ann, 2, "👍1", 0.0, About("react", "ann", 1))
    ledger.record_sent(ann, 3, "👍1", 0.0, About("unreact", "ann", 1))
    ledger.record_ack(ann, 3, None)
    stored = {
        "whole": {"kind": "unreact", "client_id": "ann", "n": 1, "later": True},
        "without what it is about": None,
        "about another": {"kind": "unreact", "client_id": "ann", "n": 7},
    }[kept]
    react = {"kind": "react", "client_id": "ann", "n": 1}
    log = [event(1, "ann", 1, "hello"), event(2, "ann", 2, "👍1", react)]
    log.append(event(3, "ann", 3, "👍1", stored))
    for one in log:
        ledger.record_delivery(ann, one.seq, "ann", one.n, ledger.identify(one), 0.1)
    ledger.record_final_log(SESSION, [(one.seq, ledger.identify(one)) for one in log])
    found = judge(ledger)
    assert (found.lost + found.doubled + found.foreign == 0) == (kept == "whole")
    if kept == "without what it is about":
        assert (found.lost, found.foreign) == (0, 1)
        ledger.record_features(())
        assert judge(ledger).foreign == 0, "a server of an older version stores the text alone"


def find(log: Sequence[ChatEvent], other: Sequence[ChatEvent], fold: Fold) -> list[str]:
    conversations = Conversations()
    for name, events, how in (("ann", log, fold), ("newcomer", other, fold_at_once)):
        given = conversations.add_reader(SESSION, name, how)
        given.events.extend(events)
    return conversations.find_differences()


def test_readers_that_hold_different_parts_of_one_log_show_the_same() -> None:
    log = make_log(380)
    assert find(log, log, fold_backwards) == []
    assert find(log, log[200:], fold_backwards) == []
    assert find(log[:300], log[200:], fold_backwards) == []
    assert find(log[:100], log[200:], fold_backwards) == []
    assert find([], log, fold_backwards) == []


def test_a_reader_that_lets_strangers_edit_is_convicted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fold(events: Sequence[ChatEvent]) -> list[Message]:
        with monkeypatch.context() as patch:
            name = "isshoni.session.conversation.may_act"
            patch.setattr(name, lambda act, about, message: True)
            return fold_at_once(events)

    (sentence,) = find(make_log(380), make_log(380), fold)
    assert "session team show different conversations: newcomer and ann differ at" in sentence


def test_a_reader_that_ignores_what_comes_before_its_message_is_convicted() -> None:
    def fold(events: Sequence[ChatEvent]) -> list[Message]:
        older, newer = Conversation(), Conversation()
        older.add(events[:150])
        newer.add(events[150:])
        return older.messages + newer.messages

    assert len(find(make_log(300), make_log(300), fold)) == 1


def test_a_copy_of_the_log_with_another_act_is_convicted() -> None:
    log = make_log(100)
    at = next(seq for seq, one in enumerate(log) if one.about and one.about.kind == "react")
    other = [*log[:at], event(at + 1, log[at].client_id, log[at].n, log[at].text), *log[at + 1 :]]
    (sentence,) = find(log, other, fold_backwards)
    assert "the number of messages" in sentence


def test_readers_of_different_epochs_are_not_compared() -> None:
    conversations = Conversations()
    log = make_log(100)
    for epoch, events in (("old", log[:50]), ("new", log[20:])):
        given = conversations.add_reader(SESSION, epoch)
        given.epoch = epoch
        given.events.extend(events)
    assert conversations.find_differences() == []
