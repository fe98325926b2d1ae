"""A client is moved only when nothing is awaited between it and its old program."""

from dataclasses import dataclass, field

from isshoni.relay.core.frames import CLOSE, PING, PONG, TEXT, FrameCutter, make_frame
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.moves import Failure, Timing
from isshoni.relay.core.profiles.socketio import SocketIo

KEY = b"\x01\x80\xff\x07"


@dataclass
class Pipe:
    """A socket that keeps its frames."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    ended: bool = False
    _cutter: FrameCutter = field(default_factory=FrameCutter)

    def write(self, data: bytes) -> None:
        _, frames = self._cutter.cut(data)
        self.frames += [(frame.opcode, frame.payload) for frame in frames]

    def finish(self) -> None:
        self.ended = True

    def end(self) -> None:
        self.ended = True

    def texts(self) -> list[bytes]:
        """Return the text messages."""
        return [payload for opcode, payload in self.frames if opcode == TEXT]


class Scene:
    """A Socket.IO client whose program answers each event after some time."""

    def __init__(self, answer_seconds: float) -> None:
        self.now = 0.0
        self.client, self.old, self.new = Pipe(), Pipe(), Pipe()
        self.first = Leg(self.old, "blue")
        self.link = Link(self.client, self.first, SocketIo(), Timing(), lambda: KEY)
        self.second = Leg(self.new, "green")
        self._answer_seconds = answer_seconds
        self._due: list[tuple[float, bytes]] = []
        self._handled = 0
        self.send(b"40")
        self.say(self.first, b'40{"sid":"a"}')

    def send(self, payload: bytes) -> None:
        """Send a message of the client."""
        self.link.client_sent(make_frame(TEXT, payload, KEY), self.now)

    def say(self, leg: Leg, payload: bytes, opcode: int = TEXT) -> None:
        """Send a message of a program."""
        self.link.program_sent(leg, make_frame(opcode, payload), self.now)

    def move(self) -> None:
        """Begin to move the client; the new program accepts it."""
        assert self.link.begin(self.now) is None
        self.link.new_opened(self.second, self.now)
        self.say(self.second, b'40{"sid":"b"}')

    def run(self, seconds: float, every: float = 0.0) -> None:
        """Let time pass; the client sends an event `every` so many seconds."""
        end, next_at = self.now + seconds, self.now
        while self.now < end:
            self.now += 0.005
            self._let_old_answer()
            if every and self.now >= next_at:
                next_at += every
                self.send(b'42%d["save"]' % round(self.now * 1000))
            self.link.tick(self.now)

    def _let_old_answer(self) -> None:
        for opcode, payload in self.old.frames[self._handled :]:
            if opcode == PING:
                self.say(self.first, payload, PONG)
            elif opcode == TEXT and payload.startswith(b"42"):
                number = payload[2:].split(b"[")[0]
                self._due.append((self.now + self._answer_seconds, b"43%b[]" % number))
        self._handled = len(self.old.frames)
        while self._due and self._due[0][0] <= self.now:
            self.say(self.first, self._due.pop(0)[1])


def test_a_client_that_always_awaits_an_answer_is_held_until_it_has_them_all() -> None:
    scene = Scene(answer_seconds=0.1)
    scene.run(1.0, every=0.02)
    scene.move()
    scene.run(4.0, every=0.02)
    assert scene.link.colour == "green"
    asked = [text for text in scene.old.texts() if text.startswith(b"42")]
    answered = [text for text in scene.client.texts() if text.startswith(b"43")]
    assert len(answered) == len(asked)
    assert (CLOSE, (1001).to_bytes(2, "big")) in scene.old.frames


def test_a_client_whose_answers_are_always_slow_stays_where_it_is() -> None:
    scene = Scene(answer_seconds=1.5)
    scene.run(2.0, every=0.02)
    scene.move()
    scene.run(10.0, every=0.02)
    assert scene.link.colour == "blue"
    assert scene.link.failure is Failure.NEVER_QUIET
    assert CLOSE not in {opcode for opcode, _ in scene.old.frames}


def test_the_client_answers_the_old_program_while_its_other_frames_are_held() -> None:
    scene = Scene(answer_seconds=0.0)
    scene.move()
    scene.run(0.5, every=0.02)
    scene.say(scene.first, b'427["question"]')
    scene.run(1.5, every=0.02)
    assert scene.link.colour == "blue"
    scene.send(b'437["yes"]')
    assert b'437["yes"]' in scene.old.texts()
    scene.run(2.0, every=0.02)
    assert scene.link.colour == "green"
    assert b'437["yes"]' not in scene.new.texts()
