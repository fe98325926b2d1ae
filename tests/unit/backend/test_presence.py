"""Present clients: kept through moves, removed when gone, and published once."""

from isshoni.session.server.presence import FORGET_SECONDS, LEFT_STATE, MAX_REMEMBERED, Presence
from isshoni.session.server.yjs_update import Announcement, encode_awareness_states, parse_awareness

ANN, BOB = 7, 300


def announce(client: int, clock: int, state: str = '{"name":"보람"}') -> list[Announcement]:
    return [Announcement(client, clock, state.encode())]


def test_what_is_encoded_is_read_back() -> None:
    both = announce(ANN, 1) + announce(BOB, 2**40, "null")
    assert parse_awareness(encode_awareness_states(both)) == both


def test_a_new_client_is_sent_all_present_clients() -> None:
    presence = Presence()
    presence.add_from_connection("blue-1", {ANN}, announce(ANN, 1), now=0.0)
    presence.add_published(announce(BOB, 5), now=1.0)
    presence.add_published(announce(9, 1), now=1.0)
    presence.add_published(announce(9, 1, "null"), now=2.0)
    present = presence.encode_present(now=3.0)
    assert present is not None
    assert {one.client for one in parse_awareness(present)} == {ANN, BOB}
    assert presence.encode_present(now=2.0 + FORGET_SECONDS + 0.1) is None


def test_what_other_clients_repeat_is_not_published_again() -> None:
    presence = Presence()
    assert presence.add_from_connection("1", {ANN}, announce(ANN, 1), now=0.0) is not None
    assert presence.add_from_connection("2", {BOB}, announce(ANN, 1), now=0.0) is None
    assert presence.add_from_connection("1", {ANN}, announce(ANN, 1), now=0.0) is not None, (
        "of its own client"
    )
    assert presence.add_from_connection("2", {BOB}, announce(ANN, 2), now=0.0) is not None, (
        "a newer state"
    )


def test_a_silent_client_of_a_closed_connection_is_published_as_left() -> None:
    presence = Presence()
    presence.add_from_connection("1", {ANN}, announce(ANN, 3), now=0.0)
    presence.add_published(announce(ANN, 3), now=0.1)
    left = presence.remove_silent("1", since=1.0)
    assert left is not None
    assert parse_awareness(left) == [Announcement(ANN, 3, LEFT_STATE)]
    assert presence.remove_silent("1", since=1.0) is None


def test_a_client_that_moved_or_came_back_is_not_published_as_left() -> None:
    presence = Presence()
    presence.add_from_connection("1", {ANN}, announce(ANN, 3), now=0.0)
    presence.add_published(announce(ANN, 3), now=2.0)  # from the other colour
    assert presence.remove_silent("1", since=1.0) is None
    presence.add_from_connection("2", {BOB}, announce(BOB, 3), now=0.0)
    presence.add_from_connection(
        "3", {BOB}, announce(BOB, 3), now=0.5
    )  # here, before the old socket was found dead
    assert presence.remove_silent("2", since=1.0) is None


def test_invented_clients_push_out_the_oldest_and_no_more_are_kept() -> None:
    presence = Presence()
    invented = [Announcement(client, 1, b"{}") for client in range(2 * MAX_REMEMBERED)]
    presence.add_from_connection("1", set(), invented, now=0.0)
    present = presence.encode_present(now=0.0)
    assert present is not None
    assert len(parse_awareness(present)) == MAX_REMEMBERED
