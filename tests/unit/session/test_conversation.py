from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.chat_content import About, read_about
from isshoni.session.conversation import Conversation, Message
from isshoni.session.from_server import ChatEvent
from tests.unit.session.vectors import cases


def make_event(fields: dict[str, Any]) -> ChatEvent:
    return msgspec.convert({"type": "chat", **fields}, ChatEvent)


def describe(message: Message) -> dict[str, Any]:
    """Return what a vector says of a message: nothing of what is as usual."""
    reactions = [
        [emoji, [author.key for author in authors]] for emoji, authors in message.reactions.items()
    ]
    fields = {
        "edited": message.edited,
        "deleted": message.deleted,
        "unreadable": message.unreadable,
        "reply_to": msgspec.to_builtins(message.reply_to),
        "reactions": reactions,
        "files": list(msgspec.to_builtins(message.files)),
    }
    told = {key: value for key, value in fields.items() if value}
    return {"seq": message.seq, "text": message.text, **told}


@cases("conversation")
def test_vector(steps: list[dict[str, Any]]) -> None:
    conversation = Conversation()
    for step in steps:
        match step["do"]:
            case "add":
                conversation.add(make_event(fields) for fields in step["events"])
            case "reset":
                conversation.reset()
            case "messages":
                assert [describe(message) for message in conversation.messages] == step["is"]
            case "find":
                about = read_about(step["about"])
                assert about is not None
                found = conversation.find(about)
                assert (found.seq if found else None) == step["is"]
            case other:
                pytest.fail(f"unknown step {other}")


_authors = st.tuples(st.sampled_from("ab"), st.sampled_from([None, "u", "v"]))
_abouts = st.builds(
    About,
    st.sampled_from(["reply", "react", "react", "unreact", "edit", "delete", "pin"]),
    st.sampled_from("ab"),
    st.integers(1, 3),
    st.sampled_from([None, "u"]),
)


@st.composite
def _logs(draw: st.DrawFn) -> list[ChatEvent]:
    log = []
    for seq in range(1, draw(st.integers(0, 14)) + 1):
        client_id, by = draw(_authors)
        text = draw(st.sampled_from(["x", "y"]))
        about = msgspec.to_builtins(draw(st.none() | _abouts))
        unreadable = draw(st.integers(0, 9)) == 0
        n = draw(st.integers(1, 3))
        log.append(ChatEvent(seq, client_id, n, text, seq, by, None, unreadable, about))
    return log


@given(_logs(), st.randoms(use_true_random=False))
def test_pages_of_any_size_in_any_order_make_the_conversation_of_the_whole_log(
    log: list[ChatEvent], random: Any
) -> None:
    whole, paged = Conversation(), Conversation()
    whole.add(log)
    rest = list(log)
    while rest:
        size = random.randint(1, len(rest))
        # A page of history is in order; pages come from the end, and repeat what is known.
        at = random.randint(0, len(rest) - size)
        paged.add(rest[at : at + size])
        paged.add(random.sample(log[-3:], min(2, len(log))))
        del rest[at : at + size]
        assert paged.messages == paged.messages
    assert paged.messages == whole.messages
