"""What Hocuspocus clients and programs are sent while a client moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.relay.core.frames import BINARY, TEXT, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.hocuspocus import MOST_DOCUMENTS, Hocuspocus
from isshoni.relay.core.profiles.hocuspocus_frames import (
    make_news,
    parse_document_frame,
    read_news,
)
from isshoni.relay.core.profiles.presence import Moves
from isshoni.session.server.yjs_update import Announcement

A, B = b"\1a", b"\3b\0s"
"""Two documents; the second one has the id of a session behind its name."""
TOKEN, STEP1, STEP2, UPDATE = b"\2\0\1t\0054.8.0", b"\0\0\1\0", b"\0\1\2\0\0", b"\0\2\2\0\0"
ADMITTED, DENIED, SAVED, UNSAVED, CLOSE = (
    b"\2\2\nread-write",
    b"\2\1\0",
    b"\x08\1",
    b"\x08\0",
    b"\7\0",
)


def binary(payload: bytes) -> Message:
    """Return a binary message."""
    return Message(BINARY, make_frame(BINARY, payload), payload)


class Conversation:
    """A profile, and what goes on to the client and to the programs."""

    def __init__(self) -> None:
        self.moves = Moves()
        self.profile = Hocuspocus(self.moves)
        self.now = 0.0

    def client(self, *payloads: bytes) -> list[bytes]:
        """Return what a program is sent."""
        return [
            out.payload
            for one in payloads
            for out in self.profile.from_client(binary(one), self.now)
        ]

    def program(self, number: int, *payloads: bytes) -> list[bytes]:
        """Return what the client is sent."""
        return [
            out.payload
            for one in payloads
            for out in self.profile.from_program(number, binary(one), self.now)
        ]

    def open(self, *documents: bytes) -> None:
        """Open documents at the first program."""
        for one in documents:
            self.client(one + TOKEN, one + STEP1)
            self.program(0, one + ADMITTED, one + STEP1, one + STEP2)
            self.client(one + STEP2)
            self.program(0, one + SAVED)

    def has_joined(self) -> bool:
        """True once the new program has accepted every token."""
        return self.profile.has_joined

    def is_busy(self) -> bool:
        """True while something is unanswered."""
        return self.profile.is_busy

    def move(self) -> None:
        """Move to the next program, which accepts everything."""
        number = self.profile._newest + 1
        sent = [message.payload for message in self.profile.preamble(number)]
        for payload in sent:
            if payload.endswith(TOKEN):
                name = payload[: -len(TOKEN)]
                self.program(number, name + ADMITTED, name + STEP2)
        assert self.profile.has_joined
        self.profile.moved()


@pytest.fixture
def talk() -> Conversation:
    return Conversation()


def test_the_token_and_the_last_step_of_each_document_are_replayed(talk: Conversation) -> None:
    talk.open(A, B)
    talk.client(A + b"\0\0\2\0\0")
    replayed = [message.payload for message in talk.profile.preamble(1)]
    assert replayed == [A + TOKEN, A + b"\0\0\2\0\0", B + TOKEN, B + STEP1]


def test_a_new_program_has_joined_once_it_has_loaded_every_document(talk: Conversation) -> None:
    talk.open(A, B)
    talk.profile.preamble(1)
    assert talk.program(1, A + ADMITTED, B + ADMITTED) == []
    assert not talk.has_joined()
    assert talk.program(1, A + STEP2) == [A + STEP2]
    assert not talk.has_joined()
    talk.program(1, B + STEP2)
    assert talk.has_joined()


def test_a_refused_token_reaches_no_client_and_the_program_has_not_joined(
    talk: Conversation,
) -> None:
    talk.open(A)
    talk.profile.preamble(1)
    assert talk.program(1, A + DENIED) == []
    assert not talk.has_joined()
    assert talk.profile.was_refused
    assert talk.program(0, A + STEP2) == [A + STEP2]


def test_the_answer_to_what_only_the_relay_has_asked_for_is_dropped(talk: Conversation) -> None:
    talk.open(A)
    talk.move()
    assert talk.program(1, A + STEP1) == [A + STEP1]
    talk.client(A + STEP2, A + UPDATE)
    assert talk.program(1, A + SAVED) == []
    assert talk.program(1, A + SAVED) == [A + SAVED]


def test_what_the_old_program_did_not_answer_is_answered_by_the_new_one(
    talk: Conversation,
) -> None:
    talk.open(A)
    talk.client(A + UPDATE, A + UPDATE)
    assert talk.is_busy()
    talk.move()
    talk.program(1, A + STEP1)
    talk.client(A + STEP2)
    assert talk.program(0, A + SAVED) == [A + SAVED]
    assert talk.program(1, A + SAVED) == [A + SAVED]
    assert talk.program(0, A + SAVED) == []


def test_an_update_that_was_not_saved_is_not_reported_as_saved(talk: Conversation) -> None:
    talk.open(A)
    talk.client(A + UPDATE)
    talk.move()
    talk.program(1, A + STEP1)
    talk.client(A + STEP2)
    assert talk.program(1, A + UNSAVED) == []


def test_a_client_moves_when_its_updates_are_answered_or_never_were(talk: Conversation) -> None:
    talk.client(A + TOKEN)
    assert talk.is_busy()
    talk.program(0, A + ADMITTED)
    talk.client(A + UPDATE)
    assert not talk.is_busy()  # this server has never answered one
    talk.program(0, A + SAVED)
    talk.client(A + UPDATE)
    assert talk.is_busy()
    talk.profile.overdue(10.0)
    assert not talk.is_busy()


def test_a_document_that_is_opened_during_a_move_ends_this_attempt(talk: Conversation) -> None:
    talk.open(A)
    talk.profile.preamble(1)
    talk.program(1, A + ADMITTED)
    talk.open(B)
    assert talk.is_busy()
    talk.profile.preamble(2)
    talk.program(2, A + ADMITTED, B + ADMITTED)
    assert not talk.is_busy()


def test_a_program_that_ends_tells_the_client_nothing(talk: Conversation) -> None:
    talk.open(A)
    talk.move()
    assert talk.program(0, A + CLOSE) == []
    assert talk.program(1, A + CLOSE) == [A + CLOSE]
    assert list(talk.profile.preamble(2)) == []


def test_a_document_that_the_client_or_the_program_has_closed_is_not_replayed(
    talk: Conversation,
) -> None:
    talk.open(A)
    talk.client(A + b"\7")
    assert talk.program(0, A + CLOSE) == [A + CLOSE]
    talk.client(B + TOKEN)
    assert talk.program(0, B + DENIED) == [B + DENIED]
    assert list(talk.profile.preamble(1)) == []


def test_presence_is_announced_again_in_each_document(talk: Conversation) -> None:
    talk.open(A, B)
    news = Announcement(7, 3, b'{"a":1}')
    for name in (A, B):
        payload = make_news(name[1:], [news])
        assert talk.client(payload) == [payload]
    talk.move()
    sent = [parse_document_frame(message.payload) for message in talk.profile.switched()]
    assert [(frame.name, read_news(frame)) for frame in sent if frame] == [
        (name[1:], [Announcement(7, 5, b'{"a":1}')]) for name in (A, B)
    ]
    back = make_news(A[1:], [Announcement(7, 5, b'{"a":1}')])
    assert talk.program(1, back) == [make_news(A[1:], [news])]


def test_news_of_the_clients_own_leaving_is_dropped_and_answered(talk: Conversation) -> None:
    talk.open(A)
    talk.client(make_news(b"a", [Announcement(7, 3, b"{}")]))
    talk.moves.last_at = 0.0
    talk.move()
    talk.profile.switched()
    assert talk.program(1, make_news(b"a", [Announcement(7, 5, b"null")])) == []
    assert talk.profile.must_announce


def test_pings_and_messages_of_the_application_pass(talk: Conversation) -> None:
    talk.open(A)
    assert talk.program(0, b"\x09") == [b"\x09"]
    assert talk.client(b"\x0a") == [b"\x0a"]
    stateless = binary(A + b"\5\2hi")
    assert talk.profile.key(stateless) is not None
    assert talk.profile.key(binary(A + UPDATE)) is None
    assert talk.profile.key(Message(TEXT, b"", b"hi")) is not None


def test_a_client_with_too_many_documents_is_not_moved(talk: Conversation) -> None:
    for n in range(MOST_DOCUMENTS + 1):
        talk.client(b"\4%04d" % n + TOKEN)
    assert not talk.profile.can_move


@given(st.binary(max_size=40), st.booleans())
def test_no_message_breaks_the_profile(junk: bytes, is_client: bool) -> None:
    talk = Conversation()
    talk.open(A)
    for payload in (junk, A + junk):
        if is_client:
            talk.client(payload)
        else:
            talk.program(0, payload)
