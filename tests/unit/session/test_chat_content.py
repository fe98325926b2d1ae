"""What a message may carry, as a server takes it from clients and reads it from a log."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.chat_content import About, ChatFile, read_about, read_files
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Chat, ChatEnvelope, encode_envelope, parse_inbound
from isshoni.session.recovery import identify, read_entry

ABOUT = {"kind": "edit", "client_id": "ann", "n": 1}
FILE = {"id": "f1", "name": "a.pdf", "type": "application/pdf", "bytes": 9}


def parse(text: str = "hi", **more: Any) -> Chat:
    message = parse_inbound(json.dumps({"type": "chat", "n": 1, "text": text, **more}))
    assert isinstance(message, Chat)
    return message


def test_a_message_is_parsed_with_what_it_is_about_and_its_files() -> None:
    assert parse(about=ABOUT).about == About("edit", "ann", 1)
    assert parse(about={**ABOUT, "by": "u", "later": 1}).about == About("edit", "ann", 1, "u")
    assert parse(files=[FILE]).files == (ChatFile("f1", "a.pdf", "application/pdf", 9),)
    assert parse(files=[{"id": "f1", "name": "a"}] * 8).files == (ChatFile("f1", "a"),) * 8
    assert parse(about=None, files=[]) == Chat(1, "hi")


def test_a_kind_of_a_later_version_is_taken() -> None:
    assert parse("📌", about={**ABOUT, "kind": "pin"}).about == About("pin", "ann", 1)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"about": "ann 1"}, "about"),
        ({"about": []}, "about"),
        ({"about": {"kind": "edit", "client_id": "ann"}}, "missing required field `n`"),
        ({"about": {**ABOUT, "kind": ""}}, "about.kind"),
        ({"about": {**ABOUT, "kind": "Edit\n"}}, "about.kind"),
        ({"about": {**ABOUT, "kind": "e" * 17}}, "about.kind"),
        ({"about": {**ABOUT, "client_id": "a b"}}, "about.client_id"),
        ({"about": {**ABOUT, "client_id": "a" * 65}}, "about.client_id"),
        ({"about": {**ABOUT, "n": 0}}, "about.n"),
        ({"about": {**ABOUT, "n": 1.5}}, "about.n"),
        ({"about": {**ABOUT, "n": 2**53}}, "about.n"),
        ({"about": {**ABOUT, "by": ""}}, "about.by"),
        ({"about": {**ABOUT, "by": "u" * 257}}, "about.by"),
        ({"files": FILE}, "files"),
        ({"files": [FILE] * 9}, "files"),
        ({"files": ["f1"]}, "files"),
        ({"files": [{**FILE, "id": "../etc"}]}, "files"),
        ({"files": [{**FILE, "name": ""}]}, "files"),
        ({"files": [{**FILE, "name": "n" * 256}]}, "files"),
        ({"files": [{**FILE, "type": "t" * 128}]}, "files"),
        ({"files": [{**FILE, "bytes": -1}]}, "files"),
        ({"about": {**ABOUT, "kind": "react"}, "text": "x" * 33}, "at most 32 characters"),
        ({"about": {**ABOUT, "kind": "unreact"}, "text": "x" * 33}, "at most 32 characters"),
        ({"about": {**ABOUT, "kind": "delete"}, "text": ""}, "text"),
    ],
)
def test_a_wrong_extra_is_refused_with_its_place_and_the_number(
    more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ProtocolError, match=reason) as refusal:
        parse(**more)
    assert refusal.value.code in ("bad_message", "too_large")
    assert refusal.value.n == 1


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "client_id", "n", "by", "id", "name", "type", "bytes"]), inner
        )
    ),
)


@given(_json, _json)
def test_no_extra_of_a_log_makes_a_message_unreadable(about: Any, files: Any) -> None:
    read_about(about)
    read_files(files)
    envelope = encode_envelope(ChatEnvelope("c", 1, "hi", 0, about=about, files=files))
    entry = read_entry(1, envelope)
    assert identify(entry) == identify(entry)


def test_two_messages_that_differ_only_in_what_they_carry_are_two() -> None:
    def make(**carried: Any) -> Any:
        return identify(read_entry(1, encode_envelope(ChatEnvelope("c", 1, "👍", 0, **carried))))

    about = About("react", "ann", 1)
    identities = {
        make(),
        make(about=about),
        make(about=About("unreact", "ann", 1)),
        make(about=About("react", "ann", 2)),
        make(files=(ChatFile("f1", "a"),)),
    }
    assert len(identities) == 5
    assert make() == make(about=None) == make(files=[])
    assert make(about=msgspec.to_builtins(about)) == make(about=about)
