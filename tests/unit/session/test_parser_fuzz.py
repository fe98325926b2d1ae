"""Whatever bytes come: a message, or a `ProtocolError`; never anything else."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Chat, Ping, RestoreSession, parse_inbound
from tests.support.nasty_frames import NASTY_TEXTS

CODES = {"bad_json", "unknown_type", "bad_message", "too_large"}
FIELDS = ("type", "n", "text", "t", "session_id", "client_id", "generation", "position", "can")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
types = st.sampled_from(["chat", "ping", "restore_session", "pong", ""]) | json_values
almost_messages = st.fixed_dictionaries({"type": types}).flatmap(
    lambda message: st.dictionaries(st.sampled_from(FIELDS), json_values).map(
        lambda fields: {**fields, **message}
    )
)


def parse(frame: str | bytes) -> Any:
    """Parse; None for what was refused in the one way in which it may be."""
    try:
        message = parse_inbound(frame)
    except ProtocolError as fault:
        assert fault.code in CODES
        assert len(fault.reason) < 1000, "an answer longer than it need be"
        return None
    assert isinstance(message, Chat | Ping | RestoreSession)
    return message


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise_is_refused_or_is_a_message(noise: str | bytes) -> None:
    parse(noise)


@given(almost_messages)
def test_what_is_almost_a_message_is_refused_or_is_one(message: dict[str, Any]) -> None:
    parsed = parse(msgspec.json.encode(message))
    if isinstance(parsed, Chat):
        assert 1 <= parsed.n < 2**53
        assert 1 <= len(parsed.text) <= 4000


@given(st.integers(1, 2**53 - 1), st.text(st.characters(codec="utf-8"), min_size=1, max_size=50))
def test_a_sound_message_is_taken_as_it_is(n: int, text: str) -> None:
    frame = msgspec.json.encode({"type": "chat", "n": n, "text": text, "later": [1]})
    assert parse(frame) == Chat(n=n, text=text)


@pytest.mark.parametrize("name", NASTY_TEXTS)
def test_nasty_text_is_refused_or_is_a_message(name: str) -> None:
    parse(NASTY_TEXTS[name])
