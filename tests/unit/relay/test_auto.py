"""The protocol is found out from what client and program send, however the bytes are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isshoni.relay.core.frames import BINARY, TEXT, FrameCutter, make_frame
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.messages import Message
from isshoni.relay.core.moves import Timing
from isshoni.relay.core.profiles.auto import MOST_MESSAGES, Auto
from isshoni.relay.core.profiles.guess import guess_by_handshake
from isshoni.relay.core.profiles.names import (
    ACTION_CABLE,
    HOCUSPOCUS,
    PHOENIX,
    SOCKET_IO,
    YJS,
)
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.profiles.presence import Moves
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.core.profiles.yjs import Yjs
from tests.unit.relay.test_session_key import request

KEY = b"\x01\x80\xff\x07"
STEP1 = b"\0\0\1\0"
STEP2 = b"\0\1\2\0\0"
TOKEN = b"\3doc\2\0\3tok\0064.8.00"
ADMITTED = b"\3doc\2\2\nread-write"
CHAT = b"hello"


class Choice:
    """Makes profiles, and keeps the name of the one that was chosen."""

    def __init__(self) -> None:
        self.name: str | None = None

    def make(self, name: str) -> Profile:
        """Return a profile."""
        self.name = name
        return Yjs(Moves())


class Bytes:
    """A pipe that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        """Keep bytes."""
        self.data += data

    def end(self) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("target", "headers", "found"),
    [
        ("/socket.io/?EIO=4&transport=websocket", [], SOCKET_IO),
        ("/chat/?transport=websocket&EIO=4", [], SOCKET_IO),
        ("/socket.io/?EIO=3&transport=websocket", [], None),
        (
            "/cable",
            ["Sec-WebSocket-Protocol: actioncable-v1-json, actioncable-unsupported"],
            ACTION_CABLE,
        ),
        ("/socket/websocket?vsn=2.0.0", [], PHOENIX),
        ("/socket/websocket?vsn=1.0.0", [], None),
        ("/ws?vsn=2.0.0", [], None),
        ("/ws/room", ["Sec-WebSocket-Protocol: chat"], None),
    ],
)
def test_a_handshake_may_name_the_protocol(
    target: str, headers: list[str], found: str | None
) -> None:
    assert guess_by_handshake(request(target, *headers)) == found


def talk(auto: Auto, *sent: tuple[str, bytes], opcode: int = BINARY) -> None:
    """Show a profile some messages."""
    for author, payload in sent:
        message = Message(opcode, make_frame(opcode, payload), payload)
        if author == "client":
            assert list(auto.from_client(message, 0.0)) == [message]
        else:
            assert list(auto.from_program(0, message, 0.0)) == [message]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([("client", STEP1), ("program", STEP1)], YJS),
        ([("program", STEP1), ("client", STEP1)], YJS),
        ([("client", STEP1), ("program", STEP2)], YJS),
        ([("client", STEP1), ("program", b"\1\1\0"), ("program", STEP2)], YJS),
        ([("client", TOKEN), ("client", b"\3doc" + STEP1), ("program", ADMITTED)], HOCUSPOCUS),
        ([("client", STEP1), ("program", ADMITTED)], None),
        ([("client", TOKEN), ("program", STEP1)], None),
        ([("client", b"\0\0\2\0"), ("program", STEP1)], None),
        ([("client", b"\0\0\1\5"), ("program", STEP1)], None),
        ([("client", TOKEN[:-1]), ("program", ADMITTED)], None),
        ([("client", TOKEN + b"\0"), ("program", ADMITTED)], None),
        ([("client", CHAT), ("program", STEP1)], None),
    ],
)
def test_both_sides_have_to_speak_a_protocol(
    sent: list[tuple[str, bytes]], found: str | None
) -> None:
    choice = Choice()
    auto = Auto(Plain(), choice.make)
    talk(auto, *sent)
    assert choice.name == found
    assert auto.is_decided == (found is not None)


def test_what_was_seen_before_the_choice_is_known_to_the_profile() -> None:
    auto = Auto(Plain(), Choice().make)
    talk(auto, ("client", STEP1), ("client", b'\1\7\1\5\1\3"a"'), ("program", STEP2))
    assert [message.payload for message in auto.preamble(1)] == [STEP1]
    assert len(auto.switched()) == 1


def test_an_unknown_protocol_is_plain_and_keeps_its_preamble() -> None:
    auto = Auto(Plain(2), Choice().make)
    talk(auto, *[("client", b"%d" % n) for n in range(MOST_MESSAGES)])
    assert auto.is_decided
    assert not auto.reads_client
    assert not auto.reads_program
    assert [message.payload for message in auto.preamble(1)] == [b"0", b"1"]


def test_a_client_that_says_nothing_can_be_moved_and_is_known_later() -> None:
    choice = Choice()
    auto = Auto(Plain(), choice.make)
    assert auto.can_move
    assert not auto.is_busy
    assert not auto.preamble(1)
    auto.moved()
    talk(auto, ("client", STEP1), ("program", STEP1))
    assert choice.name == YJS
    assert not auto.is_busy
    assert [message.payload for message in auto.preamble(2)] == [STEP1]


def test_a_protocol_that_is_begun_in_the_middle_of_a_move_ends_this_attempt() -> None:
    auto = Auto(Plain(), Choice().make)
    auto.preamble(1)
    talk(auto, ("client", STEP1))
    assert auto.is_busy
    talk(auto, ("program", STEP1))
    assert auto.is_busy
    auto.preamble(2)
    assert not auto.is_busy


def test_a_protocol_that_is_not_answered_is_not_waited_for_long() -> None:
    auto = Auto(Plain(), Choice().make)
    talk(auto, ("client", STEP1))
    assert auto.is_busy
    auto.overdue(10.0)
    assert not auto.is_busy


CONVERSATIONS = {
    "yjs": [("client", STEP1), ("program", STEP1), ("program", STEP2), ("client", STEP2)],
    "chat": [("client", CHAT), ("program", CHAT)] * 12,
    "half": [("client", STEP1), *[("program", CHAT)] * 12, ("client", CHAT)],
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(CONVERSATIONS)), st.data())
def test_every_byte_passes_in_order_however_it_is_cut(name: str, data: st.DataObject) -> None:
    client, program = Bytes(), Bytes()
    leg = Leg(program, "blue")
    link = Link(client, leg, Auto(Plain(), Choice().make), Timing(), lambda: KEY)
    sent = {"client": b"", "program": b""}
    pieces: list[tuple[str, bytes]] = []
    for author, payload in CONVERSATIONS[name]:
        opcode = TEXT if payload == CHAT else BINARY
        frame = make_frame(opcode, payload, KEY if author == "client" else b"")
        sent[author] += frame
        cut = data.draw(st.integers(0, len(frame)))
        pieces += [(author, frame[:cut]), (author, frame[cut:])]
    order = data.draw(st.permutations(range(len(pieces))))
    # Each author's pieces keep their order; those of both authors are mixed.
    queues = {who: [piece for author, piece in pieces if author == who] for who in sent}
    for index in order:
        author = pieces[index][0]
        piece = queues[author].pop(0)
        if author == "client":
            link.client_sent(piece, 0.0)
        else:
            link.program_sent(leg, piece, 0.0)
    assert program.data == sent["client"]
    assert client.data == sent["program"]
    assert FrameCutter().cut(client.data)[0] == b""
