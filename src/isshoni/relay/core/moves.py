"""The states of a move: one client changes from one program to another.

The order of a move: dial the new program and replay the handshake; replay what the profile
needs; wait until the new program has surely subscribed the client, and until the old one is not
behind with what the new one has delivered (`behind`); wait for a quiet moment, and probe with a
ping that the old program has read all that it was sent; switch; close the old one, and merge what
both still say. Up to the switch every failure leaves the client where it is. The order was found
by trials with unmodified programs (proposal 041).
"""

from dataclasses import dataclass, field
from enum import Enum

from isshoni.relay.core.behind import Lag


@dataclass(frozen=True, slots=True)
class Timing:
    """How long each part of a move may take, in seconds."""

    dial_seconds: float = 5.0
    join_seconds: float = 5.0
    overlap_seconds: float = 0.05
    """A program that answered the handshake may not have subscribed the client yet."""
    quiet_seconds: float = 0.03
    """Without a frame of the client, before the old program is probed."""
    probe_seconds: float = 0.03
    """For the answer to the probe; a slow answer is no quiet moment."""
    patience_seconds: float = 1.0
    """How long to wait for a quiet moment before frames of the client are held for one."""
    hold_seconds: float = 0.25
    """How long the frames of a client may be held."""
    give_up_seconds: float = 8.0
    """For a quiet moment; then the client stays where it is."""
    merge_seconds: float = 0.1
    """How long the new program's messages wait for the old one's last."""
    old_seconds: float = 5.0
    """For the old program to end, once it was asked to close."""
    window_seconds: float = 2.0
    """How much later than the other program one may deliver the same message."""
    lag: Lag = field(default_factory=Lag, compare=False)
    """How much later programs did, in the moves of all clients."""

    def window(self, now: float) -> float:
        """Return how long to remember what a program delivers, in seconds."""
        return self.lag.window(now, self.window_seconds)


class Failure(Enum):
    """Why a move left the client where it was."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    SUBPROTOCOL = "subprotocol"
    JOIN = "join"
    NEVER_QUIET = "never_quiet"
    TOO_LARGE = "too_large"
    NEW_ENDED = "new_ended"
    CLOSING = "closing"
    BUSY = "moving_already"
    UPGRADE = "relay_upgrade"
    """Another relay process was about to continue with the client's sockets."""
    PROTOCOL = "protocol"
    """The protocol has state in the program that no replay brings back."""


@dataclass(frozen=True, slots=True)
class Staying:
    """No move is under way."""


@dataclass(frozen=True, slots=True)
class Dialing:
    """The new program was dialed; it has not answered the handshake."""

    until: float


@dataclass(frozen=True, slots=True)
class Joining:
    """The profile replays what the client once sent, and waits for the answers."""

    until: float


@dataclass(frozen=True, slots=True)
class Overlapping:
    """Both programs serve the client; what the new one says is kept."""

    until: float


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Waiting until the old program has delivered what it may be behind with."""


@dataclass(frozen=True, slots=True)
class Settling:
    """Waiting for a quiet moment."""

    since: float
    check_at: float
    stalled_at: float | None = None
    """When the first probe was sent that the old program answered late, or not yet."""


@dataclass(frozen=True, slots=True)
class Probing:
    """A ping was sent to the old program; if `holds` is true, the client's frames are held."""

    since: float
    """Since when a quiet moment is waited for."""
    sent_at: float
    until: float
    holds: bool
    stalled_at: float | None


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Frames of the client are held until what is awaited has been answered."""

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Calming:
    """The old program answered late; frames are held for as long again, while it catches up.

    A ping is answered by the program's WebSocket library, also before the program has handled
    the messages that came before it.
    """

    since: float
    """Since when a quiet moment is waited for."""
    until: float


@dataclass(frozen=True, slots=True)
class Merging:
    """The client's frames go to the new program; the old one was asked to close."""

    flush_at: float
    """From then on messages of the new program do not wait for the old one to end."""
    end_at: float


Joined = Overlapping | CatchingUp | Settling | Probing | Awaiting | Calming
"""Both programs serve the client; its frames go to the old one."""
State = Staying | Dialing | Joining | Joined | Merging


class Order(Enum):
    """What the link has to do now."""

    COMPARE = "compare"
    PROBE = "probe"
    HOLD = "hold"
    LET_GO = "let_go"
    SWITCH = "switch"
    FLUSH = "flush"
    END_OLD = "end_old"


@dataclass(frozen=True, slots=True)
class Facts:
    """The conditions that decide whether a move continues."""

    is_quiet: bool
    """No frame of the client for `quiet_seconds`."""
    is_awaiting: bool
    """An answer is awaited, by the client or by a program."""
    is_between_messages: bool
    """No direction is in the middle of a message."""
    has_joined: bool
    """The new program has answered what it must of the preamble."""
    was_refused: bool
    """It has refused something of the preamble."""
    is_behind: bool = False
    """The old program may be behind with what the new one has delivered."""
    client_reads: bool = True
    """What the old program has sent can be read, for it can be passed on."""


Step = tuple[State, tuple[Order, ...], Failure | None]


def advance(state: State, facts: Facts, now: float, timing: Timing) -> Step:
    """Return the state after the time `now`, what to do, and why the move failed if it did."""
    match state:
        case Dialing(until) if now >= until:
            return Staying(), (), Failure.UNREACHABLE
        case Joining() if facts.was_refused:
            return Staying(), (), Failure.JOIN
        case Joining() if facts.has_joined:
            return Overlapping(now + timing.overlap_seconds), (), None
        case Joining(until) if now >= until:
            return Staying(), (), Failure.JOIN
        case Overlapping(until) if now >= until:
            return CatchingUp(), (Order.COMPARE,), None
        case CatchingUp() if not facts.is_behind:
            return advance(Settling(now, now), facts, now, timing)
        case Settling() if now >= state.check_at:
            return _settle(state, facts, now, timing)
        case Probing() if now >= state.until:
            orders = (Order.LET_GO,) if state.holds else ()
            stalled_at = state.sent_at if state.stalled_at is None else state.stalled_at
            return Settling(state.since, now + timing.quiet_seconds, stalled_at), orders, None
        case Awaiting(since) if facts.is_between_messages and not facts.is_awaiting:
            return _switch(now, timing)
        case Awaiting(since, until) if now >= until:
            # An answer that takes longer is not waited for with held frames; not at once again.
            return Settling(since, now + timing.patience_seconds / 2), (Order.LET_GO,), None
        case Calming(since, until) if now >= until:
            return _switch_or_wait(since, facts, now, timing)
        case Merging(flush_at, end_at) if now >= end_at and not facts.client_reads:
            return Merging(flush_at, now + timing.old_seconds), (Order.FLUSH,), None
        case Merging(flush_at, end_at) if now >= end_at:
            return Staying(), (Order.FLUSH, Order.END_OLD), None
        case Merging(flush_at) if now >= flush_at:
            return state, (Order.FLUSH,), None
    return state, (), None


def _settle(state: Settling, facts: Facts, now: float, timing: Timing) -> Step:
    if facts.is_behind:
        return CatchingUp(), (), None
    waited = now - state.since
    if waited >= timing.give_up_seconds:
        return Staying(), (), Failure.NEVER_QUIET
    if not facts.is_between_messages:
        return Settling(state.since, now, state.stalled_at), (), None
    if waited >= timing.patience_seconds:
        until = now + timing.hold_seconds
        probing = Probing(state.since, now, until, True, state.stalled_at)
        return probing, (Order.HOLD, Order.PROBE), None
    if facts.is_quiet and not facts.is_awaiting:
        until = now + timing.probe_seconds
        return Probing(state.since, now, until, False, state.stalled_at), (Order.PROBE,), None
    return Settling(state.since, now + timing.quiet_seconds / 3, state.stalled_at), (), None


def probe_answered(state: State, facts: Facts, now: float, timing: Timing) -> Step:
    """Return the next state when the old program has answered the probe."""
    if not isinstance(state, Probing):
        return state, (), None  # it came too late
    is_still = facts.is_quiet and not facts.is_awaiting
    if not facts.is_between_messages or not (state.holds or is_still):
        orders = (Order.LET_GO,) if state.holds else ()
        again = Settling(state.since, now + timing.quiet_seconds, state.stalled_at)
        return again, orders, None
    if state.holds and now - state.sent_at > timing.probe_seconds:
        return Calming(state.since, now + (now - state.sent_at)), (), None
    if state.stalled_at is not None:
        again_at = now + min(timing.patience_seconds, now - state.stalled_at)
        return Settling(state.since, again_at), (Order.LET_GO,) if state.holds else (), None
    return _switch_or_wait(state.since, facts, now, timing)


def _switch_or_wait(since: float, facts: Facts, now: float, timing: Timing) -> Step:
    """Switch, or wait with held frames until what is awaited has been answered."""
    if facts.is_between_messages and not facts.is_awaiting:
        return _switch(now, timing)
    return Awaiting(since, now + timing.hold_seconds), (), None


def _switch(now: float, timing: Timing) -> Step:
    merging = Merging(now + timing.merge_seconds, now + timing.old_seconds)
    return merging, (Order.SWITCH,), None


def new_opened(state: State, now: float, timing: Timing) -> State:
    """Return the next state when the new program has opened the WebSocket."""
    return Joining(now + timing.join_seconds) if isinstance(state, Dialing) else state
