"""A client that leaves a program which is behind with its messages loses none of them."""

import pytest

from isshoni.relay.core.behind import (
    APART_SECONDS,
    LISTEN_SECONDS,
    REPEATS,
    SHARED_SECONDS,
    UNKNOWN_SECONDS,
    Behind,
    Lag,
)
from isshoni.relay.core.moves import Timing
from tests.unit.relay.simulation import Program, Simulation
from tests.unit.relay.test_link import assert_nothing_lost

CALM_SECONDS = 12.0
"""A client moves there and back meanwhile."""


def talk(simulation: Simulation, every: float, seconds: float, *programs: Program) -> None:
    """Let another client of each of these programs talk."""
    world = simulation.world
    for number, program in enumerate(programs):
        for n in range(round(seconds / every)):
            text = b"%s-%d" % (program.colour.encode(), n)
            world.after(
                n * every + number * every / 2,
                lambda program=program, text=text: program.publish(text),  # type: ignore[misc]
            )


def move_at(simulation: Simulation, at: float, program: Program) -> None:
    """Count messages, and a moment later begin to move, as a migration does."""
    world = simulation.world
    world.after(at - world.now, lambda: simulation.link.arm(world.now))
    world.after(at + 0.3 - world.now, lambda: simulation.move(program))


def seconds_to_switch(simulation: Simulation, colour: str) -> float:
    """Return how long it lasts from now until the client is served by another program."""
    began = simulation.world.now
    while simulation.link.colour != colour:
        simulation.world.run_until(simulation.world.now + 0.005)
        assert simulation.world.now < began + 60
    return simulation.world.now - began


def after_calm_moves(seed: int, *, sends_own_first: bool, talks: bool = True) -> Simulation:
    """Return a chat in which a client has moved there and back while no program was behind."""
    simulation = Simulation(seed, timing=Timing())
    blue, green = simulation.blue, simulation.green
    blue.sends_own_first = green.sends_own_first = sends_own_first
    simulation.world.run_until(1.0)
    if talks:
        talk(simulation, 0.1, 45.0, blue, green)
    move_at(simulation, 2.0, green)
    move_at(simulation, 6.0, blue)
    simulation.world.run_until(CALM_SECONDS)
    assert simulation.link.colour == "blue"
    return simulation


@pytest.mark.parametrize("sends_own_first", [False, True])
@pytest.mark.parametrize("behind_seconds", [0.0, 0.5, 3.0, 10.0])
def test_a_client_waits_until_the_old_program_has_delivered_what_the_new_one_had(
    sends_own_first: bool, behind_seconds: float
) -> None:
    for seed in range(5):
        simulation = after_calm_moves(seed, sends_own_first=sends_own_first)
        simulation.blue.behind_seconds = behind_seconds
        move_at(simulation, 25.0, simulation.green)
        simulation.world.run_until(80.0)
        assert simulation.link.colour == "green"
        assert_nothing_lost(simulation)


def test_the_first_client_of_all_loses_nothing_by_an_old_program_that_sends_its_own_first() -> None:
    for seed in range(20):
        simulation = Simulation(seed, timing=Timing())
        blue, green = simulation.blue, simulation.green
        blue.sends_own_first = green.sends_own_first = True
        blue.behind_seconds = 0.8
        simulation.world.run_until(1.0)
        talk(simulation, 0.1, 10.0, blue, green)
        move_at(simulation, 4.0, green)
        simulation.world.run_until(30.0)
        assert simulation.link.colour == "green"
        assert_nothing_lost(simulation)


def test_a_quiet_program_does_not_hold_a_move_up() -> None:
    simulation = after_calm_moves(1, sends_own_first=True, talks=False)
    simulation.move(simulation.green)
    assert seconds_to_switch(simulation, "green") < 0.25


def test_a_program_that_is_not_behind_holds_a_move_up_only_a_moment() -> None:
    simulation = after_calm_moves(1, sends_own_first=True)
    simulation.move(simulation.green)
    assert seconds_to_switch(simulation, "green") < LISTEN_SECONDS + 0.3


def test_without_messages_of_the_new_program_the_wait_is_short() -> None:
    simulation = Simulation(1, timing=Timing())
    simulation.blue.sends_own_first = True
    simulation.world.run_until(1.0)
    talk(simulation, 0.1, 10.0, simulation.blue)
    move_at(simulation, 4.0, simulation.green)
    simulation.world.run_until(4.3)
    assert seconds_to_switch(simulation, "green") < LISTEN_SECONDS + 0.3


def test_programs_that_share_nothing_do_not_hold_moves_up() -> None:
    simulation = Simulation(1, timing=Timing())
    blue, green = simulation.blue, simulation.green
    simulation.world.run_until(1.0)
    for n in range(1000):
        for program in (blue, green):
            text = b"%s-%d" % (program.colour.encode(), n)
            simulation.world.after(
                n * 0.04,
                lambda program=program, text=text: program.hear(text),  # type: ignore[misc]
            )
    times = []
    for program in (green, blue, green, blue):
        simulation.move(program)
        times.append(seconds_to_switch(simulation, program.colour))
        simulation.world.run_until(simulation.world.now + 4.0)
    assert times[0] < UNKNOWN_SECONDS + 0.4
    assert max(times[1:]) < APART_SECONDS + 0.4


def test_of_programs_that_share_some_messages_only_the_first_move_waits_long() -> None:
    simulation = after_calm_moves(1, sends_own_first=True)
    for n in range(1000):
        for program in (simulation.blue, simulation.green):
            text = b"only-%s-%d" % (program.colour.encode(), n)
            simulation.world.after(
                n * 0.1,
                lambda program=program, text=text: program.hear(text),  # type: ignore[misc]
            )
    simulation.world.run_until(CALM_SECONDS + 1)
    times = []
    for program in (simulation.green, simulation.blue, simulation.green):
        simulation.move(program)
        times.append(seconds_to_switch(simulation, program.colour))
        simulation.world.run_until(simulation.world.now + 4.0)
    assert times[0] < SHARED_SECONDS + 0.5
    assert max(times[1:]) < LISTEN_SECONDS + 0.5


def test_a_copy_that_comes_first_by_chance_shows_nothing() -> None:
    behind, lag = Behind(0.0, {}), Lag()
    behind.new_delivered("of the new one", 0.1)
    for n in range(2 * REPEATS):
        behind.new_delivered(n, 0.2)
        behind.old_delivered(n, 0.201)
        assert behind.is_behind(lag, 0.3)
    behind.old_delivered("of the new one", 0.4)
    assert not behind.is_behind(lag, 0.4)


def test_a_new_program_that_is_behind_delivers_nothing_twice_once_that_is_known() -> None:
    for seed in range(5):
        simulation = after_calm_moves(seed, sends_own_first=True)
        simulation.green.behind_seconds = 5.0
        simulation.link._timing.lag.add(5.0, 24.0, of_new=True)  # by a client that moved before
        simulation.world.after(18.0 - CALM_SECONDS, lambda: simulation.link.arm(18.0))  # noqa: B023
        move_at(simulation, 25.0, simulation.green)
        simulation.world.run_until(80.0)
        assert simulation.link.colour == "green"
        assert_nothing_lost(simulation)


def test_a_new_program_that_is_behind_holds_a_move_up_no_longer_than_an_old_one() -> None:
    simulation = after_calm_moves(1, sends_own_first=True)
    simulation.green.behind_seconds = 1.0
    simulation.world.run_until(20.0)
    simulation.move(simulation.green)
    assert seconds_to_switch(simulation, "green") < SHARED_SECONDS + 0.5


def test_nothing_is_lost_if_both_programs_are_behind() -> None:
    for seed in range(10):
        simulation = after_calm_moves(seed, sends_own_first=True)
        simulation.green.behind_seconds = 0.4
        simulation.blue.behind_seconds = 3.0
        simulation.world.after(5.0, lambda: simulation.link.arm(simulation.world.now))  # noqa: B023
        move_at(simulation, 18.0, simulation.green)
        simulation.world.run_until(80.0)
        assert simulation.link.colour == "green"
        assert set(simulation.chat.published) == set(simulation.got)
