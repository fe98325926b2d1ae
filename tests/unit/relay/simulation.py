"""A chat of two programs on one bus, a relay's link and its client, in simulated time."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from isshoni.relay.core.frames import CLOSE, PING, PONG, TEXT, FrameCutter, make_frame
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.messages import Message, MessageJoiner
from isshoni.relay.core.moves import Failure, Timing
from isshoni.relay.core.profiles.plain import Plain

TICK_SECONDS = 0.005
KEY = b"\x01\x80\xff\x07"


@dataclass
class World:
    """Simulated time: events in the order of their moments."""

    rng: random.Random
    now: float = 0.0
    _queue: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Run an action later."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._count), action))

    def run_until(self, end: float) -> None:
        """Run every action that is due by then."""
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end


class Socket:
    """One direction of a TCP connection: in order, late, and cut into random pieces."""

    def __init__(self, world: World, receive: Callable[[bytes], None], delay: float) -> None:
        self._world = world
        self._receive = receive
        self._delay = delay
        self._due = 0.0
        self.on_end: Callable[[], None] = lambda: None
        self.ended = False
        self.on_finish: Callable[[], None] = lambda: None
        self.finished = False

    def write(self, data: bytes) -> None:
        """Send bytes; pieces arrive in order."""
        if self.ended or self.finished or not data:
            return
        cut = self._world.rng.randrange(len(data) + 1)
        for piece in (data[:cut], data[cut:]):
            if piece:
                self._at(lambda piece=piece: self._receive(piece))  # type: ignore[misc]

    def end(self) -> None:
        """End the connection after what was written."""
        if not self.ended:
            self.ended = True
            self._at(lambda: self.on_end())

    def finish(self) -> None:
        """Let the other end know, after what was written, that no more will come."""
        if not self.finished:
            self.finished = True
            self._at(lambda: self.on_finish())

    def _at(self, action: Callable[[], None]) -> None:
        jitter = self._world.rng.random() * self._delay
        self._due = max(self._due, self._world.now + jitter)
        self._world.after(self._due - self._world.now, action)


class Chat:
    """The bus: what any program publishes reaches every program, in one order, with its lag."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.programs: list[Program] = []
        self.published: list[bytes] = []

    def publish(self, text: bytes, sends_now: "Program | None" = None) -> None:
        """Deliver a message to the clients of all programs; those of one of them at once."""
        self.published.append(text)
        for program in self.programs:
            if program is sends_now:
                program.hear(text)
            else:
                program.hear_later(text)


class Program:
    """An unmodified chat server: it publishes what clients send, and sends what is published."""

    def __init__(self, chat: Chat, colour: str, lag: float, subscribe_seconds: float) -> None:
        self.colour = colour
        self.behind_seconds = 0.0
        """How much later than its lag it reads what is published, as one that is overloaded."""
        self.sends_own_first = False
        """True if it sends what its clients say before it publishes it, as python-socketio does."""
        self._chat = chat
        self._lag = lag
        self._subscribe_seconds = subscribe_seconds
        self._due = 0.0
        self._subscribed: list[ServerSide] = []
        self.received: list[bytes] = []
        chat.programs.append(self)

    def hear_later(self, text: bytes) -> None:
        """Send a published message to the clients after this program's lag."""
        world = self._chat.world
        lag = self.behind_seconds + world.rng.random() * self._lag
        self._due = max(self._due, world.now + lag)
        world.after(self._due - world.now, lambda: self.hear(text))

    def hear(self, text: bytes) -> None:
        """Send a message to the clients."""
        for client in list(self._subscribed):
            client.send(TEXT, text)

    def publish(self, text: bytes) -> None:
        """Publish what a client said."""
        self._chat.publish(text, self if self.sends_own_first else None)

    def open(self, to_relay: Callable[[bytes], None]) -> "ServerSide":
        """Accept a connection; the client is subscribed a moment later."""
        side = ServerSide(self, self._chat, to_relay)
        world = self._chat.world
        world.after(
            world.rng.random() * self._subscribe_seconds,
            lambda: None if side.closed else self._subscribed.append(side),
        )
        return side

    def leave(self, side: "ServerSide") -> None:
        """Unsubscribe a client."""
        if side in self._subscribed:
            self._subscribed.remove(side)


class ServerSide:
    """A program's end of one connection."""

    def __init__(self, program: Program, chat: Chat, to_relay: Callable[[bytes], None]) -> None:
        self._program, self._chat = program, chat
        self.socket = Socket(chat.world, to_relay, 0.002)
        self._cutter, self._joiner = FrameCutter(), MessageJoiner()
        self.closed = False

    def send(self, opcode: int, payload: bytes) -> None:
        """Send a message, some in two fragments with a ping in between."""
        if opcode == TEXT and self._chat.world.rng.random() < 0.2 and len(payload) > 1:
            first = bytes([TEXT, 1]) + payload[:1]
            ping = make_frame(PING, b"p")
            rest = bytearray(make_frame(0, payload[1:]))
            self.socket.write(first + ping + bytes(rest))
        else:
            self.socket.write(make_frame(opcode, payload))

    def receive(self, data: bytes) -> None:
        """Handle bytes of the relay."""
        _, frames = self._cutter.cut(data)
        for frame in frames:
            message = self._joiner.add(frame)
            if message is not None:
                self._handle(message)

    def _handle(self, message: Message) -> None:
        if message.opcode == PING:
            self.send(PONG, message.payload)
        elif message.opcode == CLOSE:
            self.closed = True
            self._program.leave(self)
            self.send(CLOSE, message.payload)
            self.socket.end()
        elif message.opcode == TEXT:
            self._program.received.append(message.payload)
            self._program.publish(message.payload)


class Simulation:
    """One client of the chat behind a link, beside other clients of both programs."""

    def __init__(
        self, seed: int, *, lag: float = 0.02, subscribe_seconds: float = 0.02, timing: Timing
    ) -> None:
        self.world = World(random.Random(seed))
        self.chat = Chat(self.world)
        self.blue = Program(self.chat, "blue", lag, subscribe_seconds)
        self.green = Program(self.chat, "green", lag, subscribe_seconds)
        self.got: list[bytes] = []
        self.closed: list[bytes] = []
        self.client_ended = False
        self._cutter, self._joiner = FrameCutter(), MessageJoiner()
        client = Socket(self.world, self._client_receives, 0.001)
        client.on_end = lambda: setattr(self, "client_ended", True)
        self.sent: list[bytes] = []
        self._legs: dict[object, Leg] = {}
        first = self._dial(self.blue)
        self.link = Link(client, first, Plain(), timing, lambda: KEY)
        self._timing = timing
        self._tick()

    def _tick(self) -> None:
        self.link.tick(self.world.now)
        self.world.after(TICK_SECONDS, self._tick)

    def _dial(self, program: Program) -> Leg:
        up = Socket(self.world, lambda data: side.receive(data), 0.002)
        leg = Leg(up, program.colour)
        self._legs[up] = leg
        side = program.open(
            lambda data: self.link.program_sent(self._legs[up], data, self.world.now)
        )
        side.socket.on_end = lambda: self.link.program_lost(self._legs[up], self.world.now)
        return leg

    def continue_with(self, link: Link) -> None:
        """Let another link continue, as the one of another process would."""
        leg = link.only_leg
        assert leg is not None
        self.link, self._legs[leg.pipe] = link, leg

    def move(self, program: Program, dial_seconds: float = 0.01) -> Failure | None:
        """Begin to move the client."""
        failure = self.link.begin(self.world.now)
        if failure is None:
            self.world.after(
                dial_seconds,
                lambda: self.link.new_opened(self._dial(program), self.world.now),
            )
        return failure

    def send(self, text: bytes) -> None:
        """Send a message of the client."""
        self.sent.append(text)
        self.link.client_sent(make_frame(TEXT, text, KEY), self.world.now)

    def _client_receives(self, data: bytes) -> None:
        _, frames = self._cutter.cut(data)
        for frame in frames:
            message = self._joiner.add(frame)
            if message is None:
                continue
            if message.opcode == TEXT:
                self.got.append(message.payload)
            elif message.opcode == CLOSE:
                self.closed.append(message.payload)
