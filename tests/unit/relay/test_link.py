"""A client that is moved gets every message once and in order, and sends each once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from isshoni.relay.core.frames import CLOSE, make_frame
from isshoni.relay.core.moves import Failure, Timing
from tests.unit.relay.simulation import KEY, Simulation

TIMING = Timing()


def chat_for(simulation: Simulation, seconds: float, client_every: float) -> None:
    """Let the client and another one talk for a while."""
    world = simulation.world
    count = round(seconds / client_every)
    for n in range(count):
        world.after(n * client_every, lambda n=n: simulation.send(b"mine-%d" % n))  # type: ignore[misc]
    for n in range(round(seconds / 0.02)):
        other = (simulation.blue, simulation.green)[n % 2]
        text = b"%s-%d" % (other.colour.encode(), n)
        world.after(n * 0.02, lambda text=text: simulation.chat.publish(text))  # type: ignore[misc]


def assert_nothing_lost(simulation: Simulation, first: int = 0) -> None:
    """Fail unless the client got every message once, and its own arrived once and in order."""
    assert simulation.closed == []
    assert not simulation.client_ended
    arrived = [text for text in simulation.chat.published if text.startswith(b"mine-")]
    assert arrived == simulation.sent
    known = simulation.chat.published[first:]
    got = [text for text in simulation.got if text in set(known)]
    assert sorted(got) == sorted(known)
    for prefix in (b"mine-", b"blue-", b"green-"):
        assert [t for t in got if t.startswith(prefix)] == [
            t for t in known if t.startswith(prefix)
        ]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([0.012, 0.05, 0.2]))
def test_a_client_that_moves_there_and_back_loses_and_doubles_nothing(
    seed: int, client_every: float
) -> None:
    simulation = Simulation(seed, timing=TIMING)
    simulation.world.run_until(1.0)
    chat_for(simulation, 10.0, client_every)
    simulation.world.after(1.0, lambda: simulation.link.arm(simulation.world.now))
    simulation.world.after(1.3, lambda: simulation.move(simulation.green))
    simulation.world.after(6.0, lambda: simulation.move(simulation.blue))
    simulation.world.run_until(5.5)
    assert simulation.link.colour == "green"
    simulation.world.run_until(15.0)
    assert simulation.link.colour == "blue"
    assert not simulation.link.needs_time
    assert_nothing_lost(simulation)


def test_a_program_that_cannot_be_reached_leaves_the_client_where_it_is() -> None:
    simulation = Simulation(1, timing=TIMING)
    simulation.world.run_until(1.0)
    chat_for(simulation, 8.0, 0.05)
    assert simulation.link.begin(simulation.world.now) is None
    simulation.world.run_until(12.0)
    assert simulation.link.failure is Failure.UNREACHABLE
    assert simulation.link.colour == "blue"
    assert not simulation.link.needs_time
    assert_nothing_lost(simulation)


def test_a_client_that_is_moving_is_not_moved_a_second_time() -> None:
    simulation = Simulation(1, timing=TIMING)
    assert simulation.move(simulation.green) is None
    assert simulation.move(simulation.green) is Failure.BUSY


def test_a_client_that_has_sent_close_is_not_moved() -> None:
    simulation = Simulation(1, timing=TIMING)
    simulation.link.client_sent(make_frame(CLOSE, b"\x03\xe8", KEY), 0.0)
    assert simulation.move(simulation.green) is Failure.CLOSING
    simulation.world.run_until(1.0)
    assert simulation.closed == [b"\x03\xe8"]


def test_a_close_in_the_middle_of_a_move_reaches_the_client_with_its_code() -> None:
    simulation = Simulation(3, timing=TIMING)
    simulation.world.run_until(1.0)
    simulation.move(simulation.green)
    simulation.world.run_until(1.03)
    simulation.link.client_sent(make_frame(CLOSE, b"\x0f\xa1", KEY), simulation.world.now)
    simulation.world.run_until(3.0)
    assert simulation.closed == [b"\x0f\xa1"]
    assert simulation.client_ended
    assert simulation.link.colour == "blue"


def test_an_old_program_that_dies_in_silence_during_the_overlap_is_replaced_at_once() -> None:
    simulation = Simulation(5, timing=TIMING)
    simulation.world.run_until(1.0)
    simulation.move(simulation.green)
    simulation.world.run_until(1.05)
    link = simulation.link
    link.program_lost(link._current, simulation.world.now)
    simulation.chat.publish(b"green-1")
    simulation.send(b"mine-1")
    simulation.world.run_until(5.0)
    assert link.colour == "green"
    assert not simulation.client_ended
    assert simulation.got == [b"green-1", b"mine-1"]
    assert simulation.green.received == [b"mine-1"]
