"""What Yjs clients and programs are sent while a client moves."""

from isshoni.relay.core.frames import BINARY, PONG, TEXT, FrameCutter, make_frame
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.messages import Message, MessageJoiner
from isshoni.relay.core.moves import Failure, Joining, Timing
from isshoni.relay.core.profiles.presence import Moves
from isshoni.relay.core.profiles.yjs import Yjs
from isshoni.relay.core.upward import MAX_KEPT_BYTES
from isshoni.session.server.yjs_update import Announcement, encode_awareness_states
from isshoni.session.sync import make_awareness, make_step1_at, make_step2, make_update

KEY = b"\x01\x80\xff\x07"
STEP1, STEP2, UPDATE = make_step1_at(b"\0"), make_step2(b"\0\0"), make_update(b"\0\0")
OLD, NEW = 0, 1


def news(*announcements: Announcement) -> bytes:
    """Return an awareness frame."""
    return make_awareness(encode_awareness_states(list(announcements)))


class End:
    """A pipe, and the messages that were written to it."""

    def __init__(self) -> None:
        self._cutter, self._joiner = FrameCutter(), MessageJoiner()
        self.messages: list[bytes] = []
        self.data = b""

    def write(self, data: bytes) -> None:
        """Keep the messages."""
        self.data += data
        for frame in self._cutter.cut(data)[1]:
            message = self._joiner.add(frame)
            if message is not None and message.opcode in (TEXT, BINARY):
                self.messages.append(message.payload)

    def end(self) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class Wire:
    """A client, a link, and two programs; everything is cut into single bytes."""

    def __init__(self) -> None:
        self.moves = Moves()
        self.client, self.pipes = End(), [End(), End()]
        self.legs = [Leg(self.pipes[OLD], "blue"), Leg(self.pipes[NEW], "green")]
        self.link = Link(self.client, self.legs[OLD], Yjs(self.moves), Timing(), lambda: KEY)
        self.now = 10.0

    def say(self, *payloads: bytes) -> None:
        """Send messages of the client."""
        for payload in payloads:
            self._feed(make_frame(BINARY, payload, KEY), None)

    def hear(self, number: int, *payloads: bytes) -> None:
        """Send messages of a program."""
        for payload in payloads:
            self._feed(make_frame(BINARY, payload), number)

    def _feed(self, data: bytes, number: int | None) -> None:
        step = 1 if len(data) < 1000 else 100_000
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            if number is None:
                self.link.client_sent(piece, self.now)
            else:
                self.link.program_sent(self.legs[number], piece, self.now)

    def join(self) -> None:
        """Begin a move; the new program has answered the handshake."""
        assert self.link.begin(self.now) is None
        self.link.new_opened(self.legs[NEW], self.now)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with an answer to each probe."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.005
            self.link.tick(self.now)
            if self.link.is_moving:
                pong = make_frame(PONG, self.link._probe_payload())
                self.link.program_sent(self.legs[OLD], pong, self.now)


def test_the_new_program_has_joined_when_it_has_answered_step_1() -> None:
    wire = Wire()
    wire.say(STEP1)
    wire.join()
    assert wire.pipes[NEW].messages == [STEP1]
    wire.hear(NEW, STEP1, UPDATE[:1] + b"\0" + UPDATE[2:])
    wire.pass_time(1.0)
    assert isinstance(wire.link.state, Joining)
    wire.hear(NEW, STEP2)
    wire.pass_time(1.0)
    assert wire.link.colour == "green"


def test_a_program_that_never_answers_step_1_gets_no_client() -> None:
    wire = Wire()
    wire.say(STEP1)
    wire.join()
    wire.pass_time(6.0)
    assert wire.link.failure is Failure.JOIN
    assert wire.link.colour == "blue"


def test_the_last_step_1_is_replayed_when_the_client_has_asked_again() -> None:
    wire = Wire()
    later = make_step1_at(b"\1\7\5")
    wire.say(STEP1, UPDATE, later)
    wire.join()
    assert wire.pipes[NEW].messages == [later]


def test_a_step_1_that_the_program_sends_late_reaches_the_client() -> None:
    wire = Wire()
    wire.say(STEP1)
    wire.join()
    wire.hear(NEW, STEP2)
    wire.pass_time(1.0)
    assert wire.client.messages == [STEP2]
    wire.hear(NEW, STEP1)
    wire.say(STEP2)
    assert wire.client.messages == [STEP2, STEP1]
    assert wire.pipes[NEW].messages[-1] == STEP2


def test_a_document_that_is_too_large_to_keep_leaves_the_client_where_it_is() -> None:
    wire = Wire()
    wire.say(STEP1)
    wire.join()
    wire.hear(NEW, make_step2(bytes(MAX_KEPT_BYTES)))
    assert wire.link.failure is Failure.TOO_LARGE
    wire.say(UPDATE)
    assert wire.pipes[OLD].messages == [STEP1, UPDATE]


def test_a_large_update_of_the_client_passes_whole_and_presence_waits_for_its_end() -> None:
    wire = Wire()
    wire.say(STEP1, news(Announcement(7, 1, b"{}")))
    wire.join()
    wire.hear(NEW, STEP2)
    wire.pass_time(0.5)
    assert wire.link.colour == "green"
    large = make_update(bytes(MAX_KEPT_BYTES + 10))
    frame = make_frame(BINARY, large, KEY)
    wire.link.client_sent(frame[:-5], wire.now)
    wire.link.program_lost(wire.legs[OLD], wire.now)
    wire.pass_time(0.2)
    wire.link.client_sent(frame[-5:], wire.now)
    wire.pass_time(0.2)
    assert wire.pipes[NEW].messages[1:] == [large, news(Announcement(7, 3, b"{}"))]


def test_news_that_is_due_waits_for_the_end_of_a_large_message_of_the_program() -> None:
    wire = Wire()
    wire.moves.last_at = wire.now
    wire.hear(OLD, news(Announcement(9, 1, b"{}")), news(Announcement(9, 1, b"null")))
    large = make_frame(BINARY, make_update(bytes(MAX_KEPT_BYTES + 10)))
    wire.link.program_sent(wire.legs[OLD], large[:-5], wire.now)
    wire.pass_time(5.0)
    wire.link.program_sent(wire.legs[OLD], large[-5:], wire.now)
    wire.pass_time(0.1)
    assert wire.client.messages[-1] == news(Announcement(9, 1, b"null"))
    assert wire.client.data.count(large) == 1


def test_messages_of_the_application_are_compared_by_content() -> None:
    profile = Yjs(Moves())
    text = Message(TEXT, make_frame(TEXT, b"hi"), b"hi")
    assert profile.key(text) is not None
    for payload in (STEP1, STEP2, UPDATE, news()):
        assert profile.key(Message(BINARY, make_frame(BINARY, payload), payload)) is None
