"""One client's connection, and the programs behind it. No I/O; the caller says what time it is."""

from collections.abc import Callable, Iterable

from isshoni.relay.core.downward import Downward, is_own_close
from isshoni.relay.core.facts import find_facts, has_read_all
from isshoni.relay.core.frames import CLOSE, PING, PONG
from isshoni.relay.core.leg import Leg, send_due
from isshoni.relay.core.messages import Message
from isshoni.relay.core.moves import (
    Dialing,
    Facts,
    Failure,
    Joined,
    Merging,
    Order,
    State,
    Staying,
    Step,
    Timing,
    advance,
    new_opened,
    probe_answered,
)
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.core.sides import Side
from isshoni.relay.core.upward import MAX_KEPT_BYTES, MOST_OF_OLD_BYTES, Pipe, Upward

GOING_AWAY = (1001).to_bytes(2, "big")


class Link:
    """Passes frames between a client and its program; moves the client to another program.

    While nothing moves, bytes are passed on as they come. From `arm` to the end of a move the
    programs' messages are read whole, so that what both programs deliver is delivered once.
    `make_key` returns the mask of a frame of the relay's own: 4 random bytes.
    """

    def __init__(
        self,
        client: Pipe,
        first: Leg,
        profile: Profile,
        timing: Timing,
        make_key: Callable[[], bytes],
    ) -> None:
        self.state: State = Staying()
        self.failure: Failure | None = None
        """Why the last move failed."""
        self._down = Downward(client, profile, timing.window_seconds)
        self._profile = profile
        self._timing = timing
        self._current = first
        self._other: Leg | None = None
        """During a move: the new program up to the switch, then the old one."""
        self._up = Upward(profile, make_key)
        self._armed_until = 0.0
        self._legs_opened = 0
        self._probe = b"isshoni-probe-" + make_key().hex().encode()
        """No ping of the client has this content."""
        self._probes = 0
        self._probed_at = self._read_until = 0.0
        """The current program has read what the client sent before the latter."""
        self._announces_later = False
        """True if a message of the client that was passed on in part has to end first."""
        self.client_reads = True
        """False while the client does not read, so that nothing is read for it."""

    @property
    def leg(self) -> Leg:
        """Return the connection to the program that the client's frames go to."""
        return self._current

    @property
    def colour(self) -> str:
        """Return the colour of the program that the client's frames go to."""
        return self._current.colour

    @property
    def is_moving(self) -> bool:
        """True while a move is under way, its end included."""
        return not isinstance(self.state, Staying)

    @property
    def is_before_switch(self) -> bool:
        """True while a move may still fail."""
        return self.is_moving and not isinstance(self.state, Merging)

    @property
    def only_leg(self) -> Leg | None:
        """Return the connection to the client's program; None while there are two."""
        return None if self.is_moving or self._current.waiting else self._current

    @property
    def _is_ending(self) -> bool:
        """True once either end has closed the WebSocket or sends no more."""
        current, by_client = self._current, self._up.closing or self._up.is_finished
        return by_client or current.cutter.closing or current.has_finished or self._down.is_closing

    @property
    def needs_time(self) -> bool:
        """True while `tick` has to be called."""
        waits = self._announces_later or self._down.is_closing
        return self.is_moving or self._down.is_armed or waits

    @property
    def is_full(self) -> bool:
        """True if no more of the client's frames should be read for now."""
        return self._up.held_bytes > MAX_KEPT_BYTES

    # Bytes that come

    def client_sent(self, data: bytes, now: float) -> None:
        """Pass on bytes of the client, or hold them."""
        self._up.receive(data, now, self._current.pipe)
        send_due(self._profile, self._up, self._current, self._other)

    def program_sent(self, leg: Leg, data: bytes, now: float) -> None:
        """Pass on bytes of a program, or keep its messages for the switch."""
        if leg is not self._current and leg is not self._other:
            return
        if self._down.is_closing:
            self._down.continue_close(self._current, data if leg is self._current else b"")
            return
        reads = self._down.is_armed or self._profile.reads_program
        if leg is self._current and not reads:
            if leg.cutter.kept_bytes or leg.joiner.kept_bytes:
                self._down.write(leg.release())  # the profile stopped reading amid a message
            leg.cutter.follow(data)
            self._down.write(data)
        else:
            self._read(leg, data, now)
        self._down.send_late(self._current)

    def _read(self, leg: Leg, data: bytes, now: float) -> None:
        rest, frames = leg.cutter.cut(data)
        self._down.write(rest)
        for frame in frames:
            message = leg.joiner.add(frame)
            if message is not None:
                self._receive(leg, message, now)
        kept_bytes = leg.kept_bytes + self._down.late_bytes
        if kept_bytes > MAX_KEPT_BYTES or leg.cutter.is_broken:
            self._bound(leg, now)

    def _receive(self, leg: Leg, message: Message, now: float) -> None:
        if message.opcode >= CLOSE:
            self._receive_control(leg, message, now)
            return
        passed: Iterable[Message] = (message,)
        if message.opcode:
            passed = self._profile.from_program(leg.number, message, now)
        send_due(self._profile, self._up, self._current, self._other)
        for one in passed:
            if leg.waiting or self._must_wait(leg, now):
                self._down.keep_back(leg, one, now)
            else:
                self._down.deliver(leg, one, self._current, now)

    def _must_wait(self, leg: Leg, now: float) -> bool:
        """True while the new program's messages have to wait for the last ones of the old one."""
        if leg is self._current:
            return isinstance(self.state, Merging) and now < self.state.flush_at
        return not isinstance(self.state, Merging)

    def _receive_control(self, leg: Leg, message: Message, now: float) -> None:
        is_current = leg is self._current
        if message.opcode == PONG and message.payload.startswith(self._probe):
            if message.payload == self._probe_payload():
                self._read_until = self._probed_at
                self._apply(probe_answered(self.state, self._facts(now), now, self._timing), now)
        elif is_current or (message.opcode == PONG and leg.side is Side.OLD):
            if message.opcode == CLOSE:
                self._end_other(now)
                self._down.write(leg.joiner.release())
            self._down.send(leg, message.data, self._current)
        elif message.opcode == PING:
            self._up.send(PONG, message.payload, leg.pipe)
        elif message.opcode == CLOSE:
            self._other_closed(leg, now)
            if leg.side is Side.OLD and is_own_close(message.payload):
                self.close(message.payload, now)

    def _bound(self, leg: Leg, now: float) -> None:
        if leg is self._current:
            is_over = leg.cutter.kept_bytes + leg.joiner.kept_bytes > MAX_KEPT_BYTES
            if leg.waiting:
                self._down.flush(self._current, now)
            if is_over or leg.cutter.is_broken:
                # Not compared with the other program's, but never held up and never cut.
                self._down.write(leg.release())
        elif not isinstance(self.state, Merging):
            if leg.kept_bytes > MAX_KEPT_BYTES or leg.cutter.is_broken:
                self.fail(Failure.NEW_ENDED if leg.cutter.is_broken else Failure.TOO_LARGE)
        elif leg.cutter.is_broken or leg.kept_bytes + self._down.late_bytes > MOST_OF_OLD_BYTES:
            self._other_closed(leg, now)

    # Ends

    def client_lost(self) -> None:
        """End the connections to all programs: the client's socket has ended."""
        self.client_finished()
        self.state = Staying()
        self._current.pipe.end()
        self._drop_other(closes=False)

    def client_finished(self) -> None:
        """Pass on that the client sends no more; what was held of it goes first."""
        if not self._up.is_finished:
            self.fail(Failure.CLOSING)
            self._up.finish(self._current.pipe)

    def close(self, payload: bytes, now: float) -> None:
        """Close the client's WebSocket: a code of two bytes, and a reason.

        Its frames go on to the program, until it has answered or its time is over.
        """
        self.fail(Failure.CLOSING)
        self._end_other(now)
        self._down.close(payload, self._current, now)

    def program_lost(self, leg: Leg, now: float) -> None:
        """Handle the end of a program's socket."""
        if leg is self._other:
            self._other_closed(leg, now)
        elif leg is self._current:
            if self._can_be_rescued(leg, now):
                merging = Merging(now, now + self._timing.old_seconds)
                self._apply((merging, (Order.SWITCH,), None), now)
                self._other_closed(leg, now)
            else:
                self._end_other(now)
                self._down.write(leg.release())
                self._down.end()

    def program_finished(self, leg: Leg, now: float) -> None:
        """Handle that a program sends no more, though it may still read."""
        if leg is not self._current or self._can_be_rescued(leg, now):
            self.program_lost(leg, now)
            return
        leg.has_finished = True
        self._end_other(now)
        self._down.write(leg.release())
        self._down.finish()

    def _can_be_rescued(self, leg: Leg, now: float) -> bool:
        """True if the new program serves the client already, and the old one died in silence."""
        joined = isinstance(self.state, Joined)
        return joined and has_read_all(leg, self._up, self._read_until, now)

    def _other_closed(self, leg: Leg, now: float) -> None:
        if not isinstance(self.state, Merging):
            self.fail(Failure.NEW_ENDED)
            return
        leg.pipe.end()
        self._other, self.state = None, Staying()
        self._down.flush(self._current, now)
        self._announce()

    def _end_other(self, now: float) -> None:
        if self._other is None:
            return
        if isinstance(self.state, Merging):
            self._down.flush(self._current, now)
            self._drop_other()
            self.state = Staying()
        else:
            self.fail(Failure.CLOSING)

    def _drop_other(self, *, closes: bool = True) -> None:
        if self._other is not None:
            if closes:
                self._up.send(CLOSE, GOING_AWAY, self._other.pipe)
            self._other.pipe.end()
            self._other = None

    # A move

    def arm(self, now: float) -> None:
        """Begin to remember the program's messages; some time before the first move.

        A program that lags may deliver again what the other one delivered before the move.
        """
        self._down.arm(self._current, window := self._timing.window(now))
        self._armed_until = now + window

    def begin(self, now: float) -> Failure | None:
        """Begin to move; the caller dials. Return why not, if the client cannot move now."""
        if self.is_moving:
            return Failure.BUSY
        if not self._profile.can_move:
            return Failure.PROTOCOL
        if self._is_ending:
            return Failure.CLOSING
        self.failure = None
        self.arm(now)
        self._down.keep(now)
        self.state = Dialing(now + self._timing.dial_seconds)
        return None

    def new_opened(self, leg: Leg, now: float) -> None:
        """Continue the move with the open connection to the new program."""
        if not isinstance(self.state, Dialing):
            leg.pipe.end()
            return
        self._legs_opened += 1
        self._other, leg.side, leg.number = leg, Side.NEW, self._legs_opened
        for message in self._profile.preamble(leg.number):
            self._up.send(message.opcode, message.payload, leg.pipe)
        self.state = new_opened(self.state, now, self._timing)

    def fail(self, failure: Failure) -> None:
        """End the move without success: the client stays where it is."""
        if not self.is_before_switch:
            return
        self.state, self.failure = Staying(), failure
        self._down.keep(None)
        self._drop_other()
        self._up.let_go(self._current.pipe)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._up.closing:
            self.fail(Failure.CLOSING)
        self._down.tick(now)
        if self._current.is_between_passed:
            for message in self._profile.overdue(now):
                self._down.write(message.data)
        if self.is_moving:
            self._apply(advance(self.state, self._facts(now), now, self._timing), now)
        elif self._down.is_armed and now >= self._armed_until:
            self._disarm()
        elif self._profile.must_announce or self._announces_later:
            self._announce()

    def _facts(self, now: float) -> Facts:
        return find_facts(
            *(self._current, self._up, self._profile),
            is_quiet=now - self._up.last_at >= self._timing.quiet_seconds,
            is_behind=self._down.is_behind(self._timing.lag, now),
            client_reads=self.client_reads,
        )

    def _apply(self, step: Step, now: float) -> None:
        state, orders, failure = step
        if failure is not None:
            self.fail(failure)
            return
        if Order.SWITCH not in orders:
            self.state = state
        for order in orders:
            self._carry_out(order, state, now)

    def _carry_out(self, order: Order, state: State, now: float) -> None:
        match order:
            case Order.COMPARE:
                self._down.compare(now)
            case Order.PROBE:
                self._probes += 1
                self._probed_at = now
                self._up.send(PING, self._probe_payload(), self._current.pipe)
            case Order.HOLD:
                self._up.hold()
            case Order.LET_GO:
                self._up.let_go(self._current.pipe)
            case Order.SWITCH:
                self._switch(state, now)
            case Order.FLUSH:
                self._down.flush(self._current, now)
            case Order.END_OLD:
                self._drop_other(closes=False)
                self._announce()

    def _announce(self) -> None:
        """Send the new program what the profile wants to be sent once the old one has ended."""
        self._announces_later = not self._up.is_between_passed
        if self._announces_later:
            return
        for message in self._profile.switched():
            self._up.send(message.opcode, message.payload, self._current.pipe)

    def _switch(self, state: State, now: float) -> None:
        new, old = self._other, self._current
        assert new is not None
        self.state, self._current, self._other, self._read_until = state, new, old, 0.0
        self._armed_until = now + self._timing.window(now)
        self._up.send(CLOSE, GOING_AWAY, old.pipe)
        # Before what was held goes on: the profile has to know that it goes to the new program.
        for message in self._profile.moved():
            self._down.write(message.data)
        self._up.let_go(new.pipe)

    def _disarm(self) -> None:
        self._down.disarm(self._timing.lag)
        if not self._profile.reads_program:
            self._down.write(self._current.release())

    def _probe_payload(self) -> bytes:
        return self._probe + b"-%d" % self._probes
