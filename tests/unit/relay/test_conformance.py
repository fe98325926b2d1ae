"""What a link may not change of what the two ends of a WebSocket send each other."""

import pytest

from isshoni.relay.core.downward import CLOSE_SECONDS
from isshoni.relay.core.frames import BINARY, CLOSE, PING, PONG, TEXT, make_frame
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.moves import Failure, Timing
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.upward import MAX_KEPT_BYTES
from tests.unit.relay.simulation import KEY

TIMING = Timing()
HUGE = MAX_KEPT_BYTES + 1000


class Wire:
    """A pipe that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.finished = self.ended = False

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.data += data

    def finish(self) -> None:
        self.finished = True

    def end(self) -> None:
        self.ended = True


class Table:
    """A link between a client and two programs, whose bytes are all moved by hand."""

    def __init__(self) -> None:
        self.now = 10.0
        self.client, self.blue, self.green = Wire(), Wire(), Wire()
        self.old = Leg(self.blue, "blue")
        self.new = Leg(self.green, "green")
        self.link = Link(self.client, self.old, Plain(), TIMING, lambda: KEY)

    def pass_time(self, seconds: float) -> None:
        """Let the link do what is due, in small steps."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.005
            self.link.tick(self.now)

    def from_client(self, data: bytes) -> None:
        self.link.client_sent(data, self.now)

    def from_program(self, leg: Leg, data: bytes) -> None:
        self.link.program_sent(leg, data, self.now)

    def overlap(self) -> None:
        """Begin a move, up to the moment where both programs serve the client."""
        assert self.link.begin(self.now) is None
        self.link.new_opened(self.new, self.now)
        self.pass_time(TIMING.overlap_seconds / 2)

    def switch(self) -> None:
        """Move the client: the old program answers the probe."""
        self.overlap()
        self.continue_to_switch()

    def continue_to_switch(self) -> None:
        """Answer the probe of a move that was begun."""
        while bytes([0x80 | PING]) not in self.blue.data:
            self.pass_time(0.005)
        at = self.blue.data.rindex(bytes([0x80 | PING]))
        size = self.blue.data[at + 1] & 0x7F
        probe = bytes(b ^ KEY[n % 4] for n, b in enumerate(self.blue.data[at + 6 : at + 6 + size]))
        self.from_program(self.old, make_frame(PONG, probe))
        assert self.link.colour == "green"
        self.pass_time(TIMING.merge_seconds * 1.5)


def code(number: int) -> bytes:
    return number.to_bytes(2, "big")


def test_a_late_message_of_the_old_program_waits_until_a_huge_one_of_the_new_has_ended() -> None:
    table = Table()
    table.switch()
    huge, late = make_frame(BINARY, b"h" * HUGE), make_frame(TEXT, b"late")
    table.from_program(table.new, huge[:-5])
    table.from_program(table.old, late)
    table.from_program(table.new, huge[-5:])
    assert table.client.data == huge + late


def test_a_fragmented_message_that_was_passed_in_part_is_not_broken_by_the_old_program() -> None:
    table = Table()
    table.switch()
    begin = bytes([BINARY, 127]) + HUGE.to_bytes(8, "big") + b"h" * HUGE
    table.from_program(table.new, begin)
    table.from_program(table.old, make_frame(TEXT, b"late"))
    assert table.client.data == begin
    end = make_frame(0, b"end")
    table.from_program(table.new, end)
    assert table.client.data == begin + end + make_frame(TEXT, b"late")


def test_a_client_in_the_middle_of_a_message_is_not_rescued_into_another_program() -> None:
    table = Table()
    table.overlap()
    table.from_client(make_frame(TEXT, b"half a message", KEY)[:9])
    table.link.program_lost(table.old, table.now)
    assert table.client.ended
    assert table.green.data == make_frame(CLOSE, code(1001), KEY)


def test_a_client_whose_message_the_old_program_may_not_have_read_is_not_rescued() -> None:
    table = Table()
    table.from_client(make_frame(TEXT, b"unread", KEY))
    table.overlap()
    table.link.program_lost(table.old, table.now)
    assert table.client.ended


def test_a_client_that_got_half_a_frame_is_not_rescued_into_another_program() -> None:
    table = Table()
    table.from_program(table.old, make_frame(TEXT, b"half a message")[:9])
    table.overlap()
    table.link.program_lost(table.old, table.now)
    assert table.client.ended


@pytest.mark.parametrize("ends", ["client_lost", "client_finished"])
def test_what_was_held_of_a_client_that_leaves_reaches_its_program(ends: str) -> None:
    table = Table()
    table.overlap()
    text = make_frame(TEXT, b"held", KEY)
    while b"held" not in table.blue.data and not table.link._up.is_holding:
        table.from_client(make_frame(TEXT, b"busy", KEY))
        table.pass_time(0.02)
    table.from_client(text)
    assert not table.blue.data.endswith(text)
    getattr(table.link, ends)()
    assert table.blue.data.endswith(text)
    assert table.blue.finished
    assert table.link.failure is Failure.CLOSING


def test_a_close_of_the_old_programs_own_reaches_a_client_that_has_just_moved() -> None:
    table = Table()
    table.switch()
    table.from_program(table.old, make_frame(CLOSE, code(4003) + b"banned"))
    assert table.client.data == make_frame(CLOSE, code(4003) + b"banned")
    table.from_client(make_frame(CLOSE, code(4003), KEY))
    assert table.green.data.endswith(make_frame(CLOSE, code(4003), KEY))
    table.from_program(table.new, make_frame(CLOSE, code(4003)))
    assert table.client.data == make_frame(CLOSE, code(4003) + b"banned")


@pytest.mark.parametrize("answer", [b"", code(1000), code(1001), code(1012)])
def test_an_answer_to_the_relays_own_close_does_not_reach_the_client(answer: bytes) -> None:
    table = Table()
    table.switch()
    table.from_program(table.old, make_frame(CLOSE, answer))
    assert table.client.data == b""
    assert not table.link.is_moving


def test_a_client_that_is_closed_may_answer_and_its_frames_reach_the_program() -> None:
    table = Table()
    table.link.close(code(1012) + b"moved", table.now)
    assert table.client.data == make_frame(CLOSE, code(1012) + b"moved")
    assert not table.client.ended
    table.from_client(make_frame(TEXT, b"in flight", KEY) + make_frame(CLOSE, code(1012), KEY))
    assert make_frame(TEXT, b"in flight", KEY) in table.blue.data
    table.from_program(table.old, make_frame(TEXT, b"more") + make_frame(CLOSE, code(1012)))
    assert table.client.data == make_frame(CLOSE, code(1012) + b"moved")
    table.link.program_lost(table.old, table.now)
    assert table.client.ended


def test_a_client_that_does_not_answer_a_close_is_ended_in_time() -> None:
    table = Table()
    table.link.close(code(1012), table.now)
    assert table.link.needs_time
    table.pass_time(CLOSE_SECONDS - 0.1)
    assert not table.client.ended
    table.pass_time(0.2)
    assert table.client.ended


def test_a_close_waits_for_the_end_of_a_frame_that_was_passed_in_part() -> None:
    table = Table()
    frame = make_frame(TEXT, b"a long message")
    table.from_program(table.old, frame[:7])
    table.link.close(code(1012), table.now)
    assert table.client.data == frame[:7]
    table.from_program(table.old, frame[7:] + make_frame(TEXT, b"more"))
    assert table.client.data == frame + make_frame(CLOSE, code(1012))


def test_fragments_before_a_close_are_passed_before_it() -> None:
    table = Table()
    table.link.arm(table.now)
    fragment = bytes([TEXT, 3]) + b"one"
    table.from_program(table.old, fragment + make_frame(CLOSE, code(1000)))
    assert table.client.data == fragment + make_frame(CLOSE, code(1000))


def test_a_broken_frame_is_passed_at_once_while_messages_are_read() -> None:
    table = Table()
    table.link.arm(table.now)
    fragment, broken = bytes([TEXT, 3]) + b"one", b"\xc2\x7f" + (1 << 40).to_bytes(8, "big") + b"x"
    table.from_program(table.old, fragment + broken)
    assert table.client.data == fragment + broken
    table.from_program(table.old, b"more")
    assert table.client.data == fragment + broken + b"more"


def test_a_new_program_that_breaks_the_rules_does_not_get_the_client() -> None:
    table = Table()
    table.overlap()
    table.from_program(table.new, b"\xff\x7f")
    assert table.link.failure is Failure.NEW_ENDED
    assert table.link.colour == "blue"
    assert table.client.data == b""


def test_a_ping_of_the_client_that_looks_like_the_probe_is_answered() -> None:
    table = Table()
    table.link.arm(table.now)
    pong = make_frame(PONG, b"isshoni-probe-1")
    table.from_program(table.old, pong)
    assert table.client.data == pong


def test_a_program_that_sends_no_more_still_gets_what_the_client_sends() -> None:
    table = Table()
    table.from_program(table.old, make_frame(TEXT, b"the last"))
    table.link.program_finished(table.old, table.now)
    assert (table.client.finished, table.client.ended) == (True, False)
    text = make_frame(TEXT, b"after it", KEY)
    table.from_client(text)
    assert table.blue.data == text
    assert table.link.begin(table.now) is Failure.CLOSING


def test_a_client_that_sends_no_more_still_gets_what_the_program_sends() -> None:
    table = Table()
    table.link.client_finished()
    assert (table.blue.finished, table.blue.ended) == (True, False)
    table.from_program(table.old, make_frame(TEXT, b"the answer"))
    assert table.client.data == make_frame(TEXT, b"the answer")
    assert table.link.begin(table.now) is Failure.CLOSING


def test_the_old_program_is_not_ended_while_the_client_reads_nothing() -> None:
    table = Table()
    table.switch()
    table.link.client_reads = False
    table.pass_time(TIMING.old_seconds * 2)
    assert not table.blue.ended
    table.link.client_reads = True
    table.from_program(table.old, make_frame(TEXT, b"late"))
    assert table.client.data == make_frame(TEXT, b"late")
    table.pass_time(TIMING.old_seconds * 1.1)
    assert table.blue.ended


def test_a_new_program_may_not_fill_the_memory_before_the_switch() -> None:
    table = Table()
    table.overlap()
    small = make_frame(TEXT, b"x") * 1000
    for _ in range(MAX_KEPT_BYTES // 100_000):
        table.from_program(table.new, small)
    assert table.link.failure is Failure.TOO_LARGE
    assert table.new.kept_bytes <= 2 * MAX_KEPT_BYTES


def test_a_message_that_comes_late_by_a_program_of_the_move_before_is_dropped() -> None:
    """Both programs lag, and the client moves back before the first one has ended."""
    table = Table()
    table.switch()
    text = make_frame(TEXT, b"by green")
    table.from_program(table.new, text)
    table.link.arm(table.now)
    table.from_program(table.old, text)
    assert table.client.data == text


def test_what_a_lagging_program_delivers_after_the_next_move_was_armed_is_dropped() -> None:
    table = Table()
    table.overlap()
    text = make_frame(TEXT, b"by blue")
    table.from_program(table.old, text)
    table.continue_to_switch()
    table.link.arm(table.now)
    table.from_program(table.new, text)
    assert table.client.data == text
