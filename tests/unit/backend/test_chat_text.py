"""The chat export as text."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from isshoni.backend.http.chat_text import ActIndex, ChatText, read_event
from isshoni.backend.store.ports import Entry
from isshoni.session.conversation import Conversation
from isshoni.session.messages import ChatEnvelope, encode_envelope


def make_log(*messages: tuple[str, int, str, dict[str, Any]]) -> list[Entry]:
    return [
        Entry(seq, encode_envelope(ChatEnvelope(author, n, text, at=0, **more)))
        for seq, (author, n, text, more) in enumerate(messages, 1)
    ]


def about(kind: str, client_id: str, n: int) -> dict[str, Any]:
    return {"about": {"kind": kind, "client_id": client_id, "n": n}}


def write(log: list[Entry], names: dict[str, str] | None = None, **options: int) -> list[str]:
    """Return the lines of an export, without times."""
    acts = ActIndex(**options)
    acts.add(log)
    text = ChatText(names or {}, acts)
    lines = "".join(text.format(entry) for entry in log).splitlines()
    return [line.removeprefix("1970-01-01 00:00:00  ") for line in lines]


def test_the_export_shows_edits_deletions_reactions_replies_and_files() -> None:
    files = {"files": [{"id": "f", "name": "plan\n.pdf", "bytes": 9}, {"id": "g", "name": "b"}]}
    log = make_log(
        ("ann", 1, "hello", {}),
        ("bob", 1, "hi\nthere", about("reply", "ann", 1)),
        ("ann", 2, "hallo", about("edit", "ann", 1)),
        ("ann", 3, "hullo", about("edit", "ann", 1)),
        ("bob", 2, "👍", about("react", "ann", 1)),
        ("cyd", 1, "👍", about("react", "ann", 1)),
        ("cyd", 2, "🎉", about("react", "ann", 1)),
        ("cyd", 3, "🎉", about("unreact", "ann", 1)),
        ("ann", 4, "files", files),
        ("cyd", 4, "no", {}),
        ("cyd", 5, "(deleted)", about("delete", "cyd", 4)),
        ("bob", 3, "forged", about("edit", "ann", 1)),
        ("bob", 4, "x" * 70, {}),
        ("cyd", 6, "why?", about("reply", "bob", 4)),
        ("cyd", 7, "what?", about("reply", "dan", 4)),
    )
    assert write(log, {"ann": "Ann"}) == [
        "Ann: hullo (edited)",
        "    👍 2",
        "bob: hi",
        "    there",
        "    > Ann: hullo",
        "Ann: files",
        "    file: plan .pdf (9 bytes)",
        "    file: b",
        "cyd: (deleted)",
        "bob: " + "x" * 70,
        "cyd: why?",
        f"    > bob: {'x' * 60}…",
        "cyd: what?",
        "    > a message that is not here",
    ]


def test_acts_that_do_not_fit_into_memory_get_lines_of_their_own() -> None:
    log = make_log(
        ("ann", 1, "hello", {}),
        ("ann", 2, "one", about("edit", "ann", 1)),
        ("ann", 3, "two", about("edit", "ann", 1)),
        ("bob", 1, "👍", about("react", "ann", 1)),
        ("ann", 4, "three", about("edit", "ann", 1)),
        ("ann", 5, "(deleted)", about("delete", "ann", 1)),
    )
    assert write(log, max_bytes=900) == [
        "ann: two (edited)",
        "    👍 1",
        "ann: (edited message 1 of ann) three",
        "ann: (deleted message 1 of ann)",
    ]
    assert write(log, max_bytes=0)[1:3] == [
        "ann: (edited message 1 of ann) one",
        "ann: (edited message 1 of ann) two",
    ]


def test_an_entry_that_cannot_be_read_keeps_its_line() -> None:
    log = [Entry(1, b"not JSON"), Entry(2, b'{"client_id":"a","n":1,"text":"x","at":0,"v":9}')]
    assert write(log) == [f"#{seq}: cannot be read by this version" for seq in (1, 2)]


_abouts = st.builds(
    lambda kind, client_id, n, by: {"kind": kind, "client_id": client_id, "n": n, **by},
    st.sampled_from(["reply", "react", "unreact", "edit", "delete", "pin"]),
    st.sampled_from("ab"),
    st.integers(1, 2),
    st.sampled_from([{}, {"by": "u"}]),
)
_messages = st.tuples(
    st.sampled_from("ab"),
    st.integers(1, 2),
    st.sampled_from("xy"),
    st.builds(
        lambda about, by: {**about, **by},
        st.sampled_from([{}]) | st.builds(lambda one: {"about": one}, _abouts),
        st.sampled_from([{}, {"by": "u"}, {"by": "v"}]),
    ),
)


@given(st.lists(_messages, max_size=12))
def test_the_export_shows_what_the_conversation_shows(messages: list[Any]) -> None:
    log = make_log(*messages)
    conversation = Conversation()
    conversation.add(event for entry in log if (event := read_event(entry)))
    expected = []
    for message in conversation.messages:
        text = "(deleted)" if message.deleted else message.text
        expected.append(f"{message.author.client_id}: {text}{' (edited)' * message.edited}")
        if message.reactions:
            counts = [f"{it} {len(authors)}" for it, authors in message.reactions.items()]
            expected.append("  ".join(sorted(counts)))
    shown = [line for line in write(log) if not line.startswith("    >")]
    told = [
        "  ".join(sorted(line[4:].split("  "))) if line.startswith("    ") else line
        for line in shown
    ]
    assert told == expected
