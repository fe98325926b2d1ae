"""Whatever is lost, late, doubled or killed: every message once, in order, with everybody."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.unit.session.model import Log, Person, Process, Wire

MOST_PEOPLE = 5
who = st.integers(0, MOST_PEOPLE - 1)
where = st.integers(0, 1)
which = st.integers(0, 3)
frames = st.integers(1, 4)
"""How many arrive before anything else happens."""
seldom = st.sampled_from([False, False, False, False, True])


class Platform(RuleBasedStateMachine):
    """Two people and two processes; hypothesis is the network, and the bad luck."""

    @initialize()
    def begin(self) -> None:
        """Two come into the session."""
        self.log = Log()
        self.people: list[Person] = []
        self.words = 0
        self.processes = [Process(self.log), Process(self.log)]
        self.wires: list[Wire] = []
        """All that a server may still read from."""
        self.somebody_comes(0)
        self.somebody_comes(1)

    @precondition(lambda self: len(self.people) < MOST_PEOPLE)
    @rule(where=where)
    def somebody_comes(self, where: int) -> None:
        """Somebody whom the log does not know gets in, and has three things to say at once."""
        who = len(self.people)
        self.people.append(Person(f"p{who}"))
        self.somebody_connects(who, where)
        wire = self.wires[-1]
        wire.process.take(wire, redis_refuses=False, dies_before_answering=False)
        self.people[who].take(wire)
        for _ in range(3):
            self.somebody_types(who)

    @rule(who=who)
    def somebody_types(self, who: int) -> None:
        """A message, wanted exactly once with everybody."""
        self.words += 1
        self.people[who % len(self.people)].type(f"word {self.words}")

    @rule(who=who, where=where)
    def somebody_connects(self, who: int, where: int) -> None:
        """A first connection, a return, a move, or one too many."""
        person = self.people[who % len(self.people)]
        person.connect(self.processes[where])
        self.wires.append(person.wires[-1])

    @rule(who=who, where=where, last_words=st.integers(0, 2), words=st.integers(0, 3))
    def somebody_lives_again(self, who: int, where: int, last_words: int, words: int) -> None:
        """A restart with the same name: what it said last is still under way.

        It types before its restore is answered, and is restored before that arrives.
        """
        person = self.people[who % len(self.people)]
        for _ in range(last_words):
            self.somebody_types(who)
        person.live_again()
        for _ in range(words):
            self.somebody_types(who)
        self.somebody_connects(who, where)
        wire = self.wires[-1]
        wire.process.take(wire, redis_refuses=False, dies_before_answering=False)
        while person.current is None:
            person.take(wire)

    @rule(which=which, frames=frames, refuses=seldom, dies=seldom)
    def a_server_reads(self, which: int, frames: int, refuses: bool, dies: bool) -> None:
        """Frames of some wire arrive; Redis may refuse the first, the process may die."""
        waiting = [wire for wire in self.wires if wire.to_server]
        if not waiting:
            return
        wire = waiting[which % len(waiting)]
        for number in range(min(frames, len(wire.to_server))):
            if wire.to_server:
                wire.process.take(
                    wire,
                    redis_refuses=refuses and number == 0,
                    dies_before_answering=dies and number == frames - 1,
                )
        self._replace_dead()

    @rule(who=who, which=which, frames=frames)
    def a_client_reads(self, who: int, which: int, frames: int) -> None:
        """Frames of some wire arrive, of an old one perhaps; or its end."""
        person = self.people[who % len(self.people)]
        ready = [wire for wire in person.wires if wire.to_client or wire.server_gone]
        if not ready:
            return
        wire = ready[which % len(ready)]
        for _ in range(frames):
            if wire in person.wires and (wire.to_client or wire.server_gone):
                person.take(wire)

    @rule()
    def all_is_well_for_a_while(self) -> None:
        """Everything that is under way arrives."""
        self._let_everything_arrive()

    @rule(where=where, frames=frames)
    def a_process_hears(self, where: int, frames: int) -> None:
        """Publications reach a process."""
        for _ in range(frames):
            self.processes[where].hear()

    @rule(who=who, which=which, read_on=st.booleans())
    def a_wire_breaks(self, who: int, which: int, read_on: bool) -> None:
        """The client's end is gone; the server reads what was on its way, or does not."""
        person = self.people[who % len(self.people)]
        if person.wires:
            wire = person.wires[which % len(person.wires)]
            person.lose(wire)
            if not read_on:
                wire.to_server.clear()

    @rule(where=where)
    def a_process_is_killed(self, where: int) -> None:
        """kill -9; another takes its place."""
        self.processes[where].crash()
        self._replace_dead()

    @invariant()
    def nothing_is_doubled_or_reordered(self) -> None:
        """What each life wrote stands in the log once, in order.

        Of one that is over, what was not acknowledged may be missing.
        """
        written = [event.text for event in self.log.events]
        assert len(written) == len(set(written)), "doubled"
        for person in self.people:
            for typed in person.lives:
                mine = [text for text in written if text in typed]
                is_over = typed is not person.lives[-1]
                owed = [text for text in typed if text in mine] if is_over else typed[: len(mine)]
                assert mine == owed, "reordered, or skipped"
            assert set(person.acked) <= set(written), "acknowledged, and not in the log"

    @invariant()
    def everybody_sees_the_log_from_its_beginning(self) -> None:
        """What anybody was shown is the log, up to some place."""
        events = self.log.events
        for person in self.people:
            assert person.delivered == events[: len(person.delivered)]

    def teardown(self) -> None:
        """Once the trouble is over, everything is there, with everybody."""
        for person in self.people:
            for wire in list(person.wires):
                person.lose(wire)
        for who in range(len(self.people)):
            self.somebody_connects(who, who % 2)
        self._let_everything_arrive()
        for person in self.people:
            assert person.unsaved == 0
            mine = [e.text for e in self.log.events if e.text in person.lives[-1]]
            assert mine == person.lives[-1]
            assert person.delivered == self.log.events

    def _let_everything_arrive(self) -> None:
        busy = True
        while busy:
            busy = False
            for wire in self.wires:
                while wire.to_server:
                    wire.process.take(wire, redis_refuses=False, dies_before_answering=False)
                    busy = True
            for process in self.processes:
                for _ in self.log.events:
                    process.hear()
            for person in self.people:
                for wire in list(person.wires):
                    while wire.to_client:
                        person.take(wire)
                        busy = True

    def _replace_dead(self) -> None:
        self.processes = [p if p.alive else Process(self.log) for p in self.processes]


pytestmark = pytest.mark.spec("A4")
TestPlatform = Platform.TestCase
TestPlatform.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
