"""Which clients a migration asks or closes next, and what one turn of it costs."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from isshoni.backend.context import BackendContext
from isshoni.backend.live.departures import Departures
from isshoni.backend.live.migration import Migration
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.session.server.order import MigrationOrder
from isshoni.session.server.pace import Pace
from isshoni.session.server.share import calculate_bucket_pct
from tests.support.fake_store import FakeSessionStore
from tests.support.waiting import wait_until
from tests.unit.backend.test_connection import SETTINGS, Peer


@dataclass(frozen=True)
class Client:
    can_migrate: bool = True
    can_regions: bool = True


@dataclass(eq=False)
class Member:
    name: str
    session_id: str = "s"
    client: Client = field(default_factory=Client)

    def __repr__(self) -> str:
        return self.name


def make(*names: str) -> list[Member]:
    """Return members named after their session, such as `a1`."""
    return [Member(name, name[0]) for name in names]


def leaving(members: list[Member], share_pct: float = 100.0) -> Departures[Member]:
    departures: Departures[Member] = Departures(share_pct)
    departures.add_all(members)
    return departures


def find_sessions(share_pct: float) -> tuple[str, str]:
    """Return a session in the share, and one that is not."""
    names = [f"s{number}" for number in range(200)]
    inside = next(it for it in names if calculate_bucket_pct(it) < share_pct)
    return inside, next(it for it in names if calculate_bucket_pct(it) >= share_pct)


def test_whole_sessions_are_asked_one_after_another() -> None:
    departures = leaving(make("a1", "b1", "a2", "b2", "a3"))
    order = [str(m) for now in range(5) for m in departures.take_turn(1, now, 100.0).ask]
    assert order == ["a1", "a2", "a3", "b1", "b2"]


def test_client_that_comes_to_a_session_of_which_others_moved_is_asked_before_other_sessions() -> (
    None
):
    departures = leaving(make("a1", "b1", "c1"))
    departures.take_turn(1, 0.0, 100.0)
    departures.add(*make("a2"))
    assert str(departures.take_turn(1, 1.0, 100.0).ask) == "[a2]"


def test_client_is_asked_again_once_after_half_its_time() -> None:
    (member,) = members = make("a1")
    departures = leaving(members)
    departures.take_turn(9, 0.0, 10.0)
    assert departures.take_turn(9, 4.9, 10.0).again == []
    assert departures.take_turn(9, 5.0, 10.0).again == [member]
    assert departures.take_turn(9, 6.0, 10.0).again == []


def test_client_that_did_not_move_in_time_is_closed() -> None:
    (first,) = members = make("a1")
    departures = leaving(members)
    departures.take_turn(9, 0.0, 10.0)
    (late,) = make("a2")
    departures.add(late)
    turn = departures.take_turn(9, 10.0, 10.0)
    assert (turn.ask, turn.close) == ([late], [first])
    departures.mark_closing(first)
    assert departures.remaining == 2
    assert departures.remove(first) is False
    assert departures.remove(late) is True
    assert departures.remaining == 0


def test_closing_counts_against_the_budget_too() -> None:
    departures = leaving([Member(str(number)) for number in range(20)])
    departures.take_turn(10, 0.0, 1.0)
    turn = departures.take_turn(12, 2.0, 1.0)
    assert (len(turn.close), len(turn.ask)) == (10, 2)


def test_share_concerns_its_sessions_and_those_that_can_move_only() -> None:
    inside, outside = find_sessions(50.0)
    plain = Member("plain", inside, Client(can_migrate=False))
    departures = leaving([Member("one", inside), Member("two", outside), plain], 50.0)
    assert departures.remaining == 1
    plain.client = Client()  # it has restored the session
    departures.retry_unable()
    assert departures.remaining == 2


def test_client_of_a_share_that_does_not_move_in_time_stays_and_is_counted_no_more() -> None:
    inside, _ = find_sessions(50.0)
    departures = leaving([Member("one", inside)], 50.0)
    departures.take_turn(9, 0.0, 10.0)
    assert departures.waiting == 1
    turn = departures.take_turn(9, 10.0, 10.0)
    assert (turn.ask, turn.again, turn.close) == ([], [], [])
    assert (departures.waiting, departures.remaining) == (0, 0)


@given(st.data())
def test_counts_are_those_of_a_full_search_after_any_events(data: st.DataObject) -> None:
    departures: Departures[Member] = Departures(100.0)
    here: dict[Member, str] = {}
    now = 0.0
    for number in range(data.draw(st.integers(1, 60))):
        match data.draw(st.sampled_from(("open", "end", "turn"))):
            case "open":
                member = Member(str(number), data.draw(st.sampled_from("abc")))
                departures.add(member)
                here[member] = "pending"
            case "end" if here:
                member = data.draw(st.sampled_from(list(here)))
                assert departures.remove(member) is (here.pop(member) == "asked")
            case "turn":
                now += data.draw(st.floats(0, 8))
                turn = departures.take_turn(data.draw(st.integers(0, 4)), now, 10.0)
                here |= dict.fromkeys(turn.ask, "asked")
                for member in turn.close:
                    departures.mark_closing(member)
                    here[member] = "closing"
        assert departures.remaining == len(here)
        assert departures.waiting == list(here.values()).count("asked")


def test_nothing_is_due_when_all_have_moved_or_had_their_time() -> None:
    inside, outside = find_sessions(50.0)
    members = [Member("one", inside), Member("two", outside), Member("three", inside)]
    departures = leaving(members, 50.0)
    departures.take_turn(9, 0.0, 10.0)
    departures.remove(members[0])
    assert (departures.is_idle, departures.next_at) == (True, 5.0)
    departures.take_turn(9, 5.0, 10.0)
    assert departures.next_at == 10.0
    departures.take_turn(9, 10.0, 10.0)
    assert departures.is_idle and departures.unable == 0
    nothing_due: bool = departures.next_at is None
    assert nothing_due


async def test_move_that_sleeps_is_woken_by_a_client_of_its_share_that_comes() -> None:
    context = BackendContext(SETTINGS, FakeSessionStore())
    manager = WebSocketManager(context)
    inside, _ = find_sessions(50.0)
    migration = Migration(manager, MigrationOrder("green", 10_000, 30, 50.0), context.counters)
    await wait_until(lambda: migration.turns > 0, "it looked once")
    assert migration.status()["done"] is True
    peer = Peer(manager, inside)
    peer.say(type="restore_session", session_id=inside, client_id="c1", can=["migrate"])
    await peer.wait_for("migrate")
    assert (migration.status()["told"], migration.status()["waiting"]) == (1, 1)
    await peer.leave()
    await wait_until(lambda: migration.moved == 1, "its departure is counted")
    migration.cancel()


async def test_greater_share_and_another_target_ask_those_that_they_concern() -> None:
    context = BackendContext(SETTINGS, FakeSessionStore())
    manager = WebSocketManager(context)
    peers = [Peer(manager) for _ in range(3)]
    for number, peer in enumerate(peers):
        await peer.restore(client_id=f"c{number}", can=["migrate"])
    migration = Migration(manager, MigrationOrder("green", 10_000, 30, 1e-6), context.counters)
    assert migration.status()["done"] is True
    migration.change_order(MigrationOrder("green", 10_000, 30))
    await wait_until(lambda: migration.asked == 3, "all were asked")
    migration.change_order(MigrationOrder("green", 5_000, 30))
    assert migration.status()["waiting"] == 3
    migration.change_order(MigrationOrder("blue", 5_000, 30))
    await wait_until(lambda: migration.asked == 6, "all were asked to go elsewhere")
    migration.cancel()
    for peer in peers:
        await peer.leave()


def test_the_pace_is_kept_and_a_pause_causes_no_burst() -> None:
    pace = Pace(rate_per_second=100)
    spent = 0
    for step in range(101):
        budget = pace.earn(step * 0.02)
        pace.spend(budget)
        spent += budget
    assert 195 <= spent <= 201
    assert pace.earn(1000.0) == 10


def test_a_rate_below_one_a_second_still_asks_a_client() -> None:
    pace = Pace(rate_per_second=0.5)
    assert pace.earn(0.0) == 1
    pace.spend(1)
    assert pace.earn(1.0) == 0
    assert pace.earn(2.0) == 1


def test_a_change_of_pace_causes_no_burst() -> None:
    pace = Pace(rate_per_second=100)
    spent = 0
    for step in range(101):
        pace.rate_per_second = 100 if step % 2 else 99
        budget = pace.earn(step * 0.02)
        pace.spend(budget)
        spent += budget
    assert 190 <= spent <= 201


def test_clients_that_cannot_change_the_region_come_last_once_all_others_have_moved() -> None:
    members = make("a1", "b1")
    plain = Member("plain", "a", Client(can_regions=False))
    departures: Departures[Member] = Departures(100.0, to_region=True)
    departures.add_all([plain, *members])
    assert departures.take_turn(10, 0.0, 5.0).ask == members
    assert departures.take_turn(10, 1.0, 5.0).ask == []
    assert (departures.remaining, departures.has_last) == (3, True)
    for member in members:
        assert departures.remove(member)
    assert not departures.is_idle
    assert departures.take_turn(10, 2.0, 5.0).ask == [plain]
    assert not departures.can_move(plain)


def test_a_move_within_the_region_needs_no_new_capability() -> None:
    plain = Member("plain", "a", Client(can_regions=False))
    assert leaving([plain]).take_turn(1, 0.0, 5.0).ask == [plain]
