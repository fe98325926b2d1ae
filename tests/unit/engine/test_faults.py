"""Random faults at random times: every rollout ends, and nobody is left on a dead colour."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy
from isshoni.rollout.look import RETRY_SECONDS
from isshoni.rollout.model import COLOURS, Colour, Stable, other
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import RequestKind, Rollout
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(
    bake_seconds=1.0,
    start_timeout_seconds=5,
    weight_timeout_seconds=2,
    migrate_within_seconds=2,
    drain_timeout_seconds=6,
)
LONGEST_SECONDS = 300.0
METHODS = (
    "apply_weights",
    "verify_weights",
    "observe_health",
    "observe_slots",
    "observe_traffic",
    "status",
    "prepare",
    "start",
    "stop",
    "migrate",
    "cancel_migration",
    "prove",
)


@dataclass(frozen=True)
class Kill:
    """A colour's program dies; some are started again."""

    colour: Colour
    restart: bool

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        world.kill(self.colour, restart=self.restart)
        return None


@dataclass(frozen=True)
class Break:
    """A method of the environment fails for a while."""

    method: str

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        world.broken.add(self.method)
        return lambda: world.broken.discard(self.method)


@dataclass(frozen=True)
class Stick:
    """The balancer keeps its weights for a while, whatever it is told."""

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        world.weights_stick = True

        def mend() -> None:
            world.weights_stick = False

        return mend


@dataclass(frozen=True)
class Sicken:
    """A colour begins to fail requests."""

    colour: Colour

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        world.slots[self.colour].error_share = 0.5
        return None


@dataclass(frozen=True)
class Hang:
    """Some clients of a colour no longer move by themselves."""

    colour: Colour

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        world.slots[self.colour].stubborn = 3
        return None


@dataclass(frozen=True)
class Unread:
    """Looks cannot read the weights, or a colour's admin port, for a while."""

    what: str

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        world.unread.add(self.what)
        return lambda: world.unread.discard(self.what)


@dataclass(frozen=True)
class Blip:
    """Redis answers neither colour for a while; one of them recovers later."""

    late: Colour

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        for slot in world.slots.values():
            slot.ready = False

        def mend() -> None:
            for colour, slot in world.slots.items():
                slot.ready = True
                if colour == self.late:
                    slot.healthy_at = max(slot.healthy_at, world.now + 1.0)

        return mend


@dataclass(frozen=True)
class Ask:
    """Somebody asks for something."""

    kind: RequestKind

    def strike(self, world: World, journal: MemoryJournal) -> Callable[[], None] | None:
        latest = journal.read_latest()
        if latest is None:
            return None
        id = latest.rollout.id
        journal.file_request(id, self.kind, who="ann", at=world.now)
        if self.kind != "pause":
            return None

        def resume() -> None:
            journal.file_request(id, "resume", who="ann", at=world.now)

        return resume


Fault = Kill | Break | Stick | Sicken | Hang | Unread | Blip | Ask
colours = st.sampled_from(COLOURS)
kinds: st.SearchStrategy[RequestKind] = st.sampled_from(
    ["rollback", "abort", "pause", "resume", "skip_bake"]
)
faults: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Kill, colours, st.booleans()),
    st.builds(Break, st.sampled_from(METHODS)),
    st.just(Stick()),
    st.builds(Sicken, colours),
    st.builds(Hang, colours),
    unreads := st.builds(Unread, st.sampled_from(("weights", *COLOURS))),
    blips := st.builds(Blip, colours),
    st.builds(Ask, kinds),
)
times = st.floats(0, 9)
passing = st.one_of(
    st.tuples(times, st.floats(0.1, 0.6), unreads), st.tuples(times, st.floats(0.1, 10), blips)
)
schedules = st.lists(st.tuples(times, st.floats(0.1, 20), faults), max_size=5)


class FaultyClock(WorldClock):
    """The world's clock, along which faults strike and are mended."""

    def __init__(
        self, world: World, journal: MemoryJournal, plan: list[tuple[float, float, Fault]]
    ) -> None:
        super().__init__(world)
        self.journal = journal
        self.began = world.now
        self.mended = self.began
        self.due: list[tuple[float, Callable[[], Callable[[], None] | None], float]] = []
        for at, lasting, fault in plan:
            self.due.append((self.began + at, self._striking(fault), lasting))

    def _striking(self, fault: Fault) -> Callable[[], Callable[[], None] | None]:
        return lambda: fault.strike(self.world, self.journal)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        assert self.world.now - self.began < LONGEST_SECONDS, "it never ends"
        now = [item for item in self.due if item[0] <= self.world.now]
        self.due = [item for item in self.due if item[0] > self.world.now]
        for _, happen, lasting in now:
            mend = happen()
            if mend is None:
                self.mended = self.world.now
            else:
                self.due.append((self.world.now + lasting, _once(mend), 0.0))


def _once(mend: Callable[[], None]) -> Callable[[], Callable[[], None] | None]:
    def happen() -> None:
        mend()

    return happen


def had_their_time(rollout: Rollout, colour: Colour) -> bool:
    """True if clients on `colour` could be cut: their time to move is over."""
    back = rollout.rollback
    if colour == rollout.candidate:
        if back is None or back.emptying_began is None:
            return rollout.timings[-1].number <= 4  # nobody had been sent to it
        return (rollout.ended or 0) - back.emptying_began >= PLAN.migrate_within_seconds
    waits = [t for t in rollout.timings if t.title == "wait for stragglers"]
    return bool(waits) and (rollout.ended or 0) - waits[0].began >= PLAN.drain_timeout_seconds


@settings(max_examples=100, deadline=None)
@given(schedules)
@example([(0.0, 11.0, Blip("blue")), (0.0, 6.0, Unread("green")), (0.0, 12.0, Unread("weights"))])
async def test_whatever_fails_the_rollout_ends_and_people_are_on_a_live_colour(
    schedule: list[tuple[float, float, Fault]],
) -> None:
    world, journal = World(), MemoryJournal()
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    clock = FaultyClock(world, journal, schedule)
    engine = Engine(Environment(ports, ports, ports, ports, journal), clock, "tester")

    report = await deploy(engine, V2, PLAN)

    latest = journal.read_latest()
    assert latest is not None
    rollout = latest.rollout
    assert report.outcome in ("promoted", "rolled_back", "refused", "stuck")
    assert report.reason
    for colour, _ in world.cut:
        assert had_their_time(rollout, colour), (report, world.acts)
    mended_long_ago = world.now - clock.mended > 2 * RETRY_SECONDS
    # An engine that cannot read the weights, or a colour, must not send traffic elsewhere by it.
    told_the_truth = mended_long_ago and not (world.weights_stick or world.broken or world.unread)
    for colour in COLOURS:
        if told_the_truth and world.weights.of(colour) and not world.is_well(colour):
            assert not world.is_well(other(colour)), (report, world.acts)
    if report.outcome == "promoted":
        assert world.weights.of("green") == 100
    if report.outcome == "rolled_back":
        assert world.weights.of("blue") == 100


@settings(max_examples=30, deadline=None)
@given(st.lists(passing, max_size=3))
async def test_a_good_release_is_promoted_whatever_passes_over_both_colours(
    schedule: list[tuple[float, float, Fault]],
) -> None:
    world, journal = World(), MemoryJournal()
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    clock = FaultyClock(world, journal, schedule)
    engine = Engine(Environment(ports, ports, ports, ports, journal), clock, "tester")
    plan = PLAN.model_copy(update={"start_timeout_seconds": 60, "keep_stable_seconds": 5})

    report = await deploy(engine, V2, plan)

    # What strikes at the first look refuses a deploy, and changes nothing.
    assert report.outcome == "promoted" or (report.outcome == "refused" and not world.acts), report
    assert world.cut == []
