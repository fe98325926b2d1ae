"""The state that a program keeps for a connection reaches the next program, and no client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isshoni.relay.core.frames import BINARY, TEXT, make_frame
from isshoni.relay.core.handshake import Handshake, read_answer, read_handshake
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.carried import MAX_CARRIED_BYTES, Carried
from isshoni.relay.core.profiles.plain import Plain

TOKEN = b"0123456789abcdef" * 2
HELLO = b"isshoni-state:" + TOKEN + b":"
OLD, NEW = 0, 1


def message(payload: bytes, opcode: int = TEXT) -> Message:
    """Return a message."""
    return Message(opcode, make_frame(opcode, payload), payload)


class Conversation:
    """A profile, its handshake, and what goes on."""

    def __init__(self, *, reports: bool = True) -> None:
        head = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
        self.handshake: Handshake = read_handshake(head, TOKEN)
        self.profile = Carried(Plain(), self.handshake, reports=reports)

    def program(self, number: int, *payloads: bytes) -> list[bytes]:
        """Return what the client is sent."""
        found = [self.profile.from_program(number, message(one), 0.0) for one in payloads]
        return [out.payload for outs in found for out in outs]

    def client(self, payload: bytes) -> list[bytes]:
        """Return what the program is sent."""
        return [out.payload for out in self.profile.from_client(message(payload), 0.0)]

    def reads_program(self) -> bool:
        """True while the program's messages are read."""
        return self.profile.reads_program

    def move(self) -> None:
        """Switch to a new program, which reports a state, too."""
        self.profile.preamble(NEW)
        self.program(NEW, HELLO)
        self.profile.moved()


@pytest.fixture
def talk() -> Conversation:
    return Conversation()


def test_the_program_gets_the_token_and_the_next_one_the_last_state(talk: Conversation) -> None:
    assert b"\r\nx-isshoni-relay: " + TOKEN + b"\r\n" in talk.handshake.head
    assert b"state" not in talk.handshake.replay("blue").head
    assert talk.program(OLD, HELLO, HELLO + b"one", b"hello", HELLO + b"two") == [b"hello"]
    assert talk.handshake.replay("blue").head.endswith(
        b"x-isshoni-moved-from: blue\r\nx-isshoni-state: two\r\n\r\n"
    )


def test_a_program_without_the_middleware_is_not_read() -> None:
    talk = Conversation(reports=False)
    assert not talk.reads_program()
    assert talk.client(b"x") == [b"x"]


def test_a_new_program_with_the_middleware_is_read_when_the_first_one_had_none() -> None:
    talk = Conversation(reports=False)
    talk.move()
    assert talk.reads_program()
    assert talk.program(NEW, HELLO + b"one", b"hello") == [b"hello"]
    assert bytes(talk.handshake.carried) == b"one"


@pytest.mark.parametrize("header", [b"X-Isshoni-State: 1\r\n", b""])
def test_the_answer_to_the_handshake_says_whether_a_program_reports(header: bytes) -> None:
    answer = read_answer(b"HTTP/1.1 101 Switching Protocols\r\n" + header + b"\r\n")
    assert answer.reports_state == bool(header)


def test_a_state_that_changed_since_the_handshake_comes_before_the_clients_message(
    talk: Conversation,
) -> None:
    talk.program(OLD, HELLO, HELLO + b"one")
    talk.profile.preamble(NEW)
    talk.program(NEW, HELLO)
    talk.program(OLD, HELLO + b"two")
    assert talk.client(b"x") == [b"x"]  # for the old program
    talk.profile.moved()
    assert talk.profile.reads_client
    assert talk.client(b"y") == [HELLO + b"two", b"y"]
    assert talk.client(b"z") == [b"z"]


def test_the_old_program_may_report_late_but_not_after_the_new_one(talk: Conversation) -> None:
    talk.program(OLD, HELLO, HELLO + b"one")
    talk.move()
    talk.program(OLD, HELLO + b"late")
    assert talk.client(b"x") == [HELLO + b"late", b"x"]
    talk.program(NEW, HELLO + b"new")
    talk.program(OLD, HELLO + b"too late")
    assert bytes(talk.handshake.carried) == b"new"


def test_a_new_program_without_the_middleware_is_sent_no_state(talk: Conversation) -> None:
    talk.program(OLD, HELLO, HELLO + b"one")
    talk.profile.preamble(NEW)
    talk.program(NEW, b"hello")
    talk.profile.moved()
    assert talk.client(b"x") == [b"x"]
    assert not talk.reads_program()


def test_a_state_that_is_too_large_is_not_kept(talk: Conversation) -> None:
    talk.program(OLD, HELLO, HELLO + b"one")
    assert talk.program(OLD, HELLO + b"x" * (MAX_CARRIED_BYTES + 1)) == []
    assert bytes(talk.handshake.carried) == b"one"


@given(st.binary(max_size=80))
def test_no_text_of_a_client_becomes_a_state(junk: bytes) -> None:
    talk = Conversation()
    talk.program(OLD, HELLO, HELLO + b"one")
    for payload in (junk, b"isshoni-state:" + junk):
        assert talk.client(payload) == [payload]
        echo = [payload] if not payload.startswith(HELLO) else []
        assert talk.program(OLD, payload) == echo
    assert talk.profile.from_program(OLD, message(HELLO + b"two", BINARY), 0.0)
    assert bytes(talk.handshake.carried) == b"one"


def test_a_request_that_is_no_upgrade_gets_no_token() -> None:
    assert read_handshake(b"GET / HTTP/1.1\r\n\r\n", TOKEN).token == b""
