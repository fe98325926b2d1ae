"""The clients behind one socket stay present while it moves; those that have left are reported."""

from isshoni.relay.core.profiles.presence import KEEP_SECONDS, MOST_OTHERS, Moves, Presence
from isshoni.session.server.yjs_update import Announcement

HERE, GONE = b"{}", b"null"


def say(client: int, clock: int, state: bytes = HERE) -> Announcement:
    """Return an announcement."""
    return Announcement(client, clock, state)


def must_announce(presence: Presence) -> bool:
    """True if the program believes that a client of this socket has left."""
    return presence.must_announce


def moving() -> Presence:
    """Return the presence of a socket in a relay that moves clients at the time 0."""
    return Presence(Moves(last_at=0.0))


def test_several_clients_behind_one_socket_are_all_announced_again() -> None:
    presence = moving()
    presence.from_client([say(1, 5)])
    presence.from_client([say(2, 7)])
    assert presence.announce() == [say(1, 7), say(2, 9)]
    assert presence.from_client([say(2, 8), say(1, 6)]) == [say(2, 10), say(1, 8)]
    assert presence.from_program([say(2, 10)], 0.0) == [say(2, 8)]


def test_the_state_of_a_peer_that_a_client_sends_back_is_not_its_own() -> None:
    presence = moving()
    presence.from_client([say(1, 5)])
    presence.from_program([say(9, 3)], 0.0)
    presence.from_client([say(9, 3)])
    assert presence.announce() == [say(1, 7)]


def test_a_client_that_returns_is_its_own_though_the_program_knows_it() -> None:
    presence = moving()
    presence.from_program([say(1, 4)], 0.0)
    presence.from_client([say(1, 5)])
    assert presence.announce() == [say(1, 7)]


def test_a_client_that_has_left_is_not_announced() -> None:
    presence = moving()
    presence.from_client([say(1, 5), say(2, 1)])
    presence.from_client([say(1, 6, GONE)])
    assert presence.announce() == [say(2, 3)]


def test_news_of_the_own_leaving_is_dropped_only_while_clients_move() -> None:
    presence = moving()
    presence.from_client([say(1, 5)])
    assert presence.from_program([say(1, 5, GONE)], 1.0) == []
    assert must_announce(presence)
    presence.announce()
    assert not must_announce(presence)
    late = KEEP_SECONDS + 1.0
    assert presence.from_program([say(1, 7, GONE)], late) == [say(1, 5, GONE)]
    assert not must_announce(presence)


def test_a_client_that_has_left_during_a_move_is_reported_late() -> None:
    presence = moving()
    presence.from_program([say(9, 3)], 0.0)
    assert presence.from_program([say(9, 3, GONE)], 1.0) == []
    assert presence.overdue(1.5) == []
    assert presence.overdue(1.0 + KEEP_SECONDS) == [say(9, 3, GONE)]


def test_a_client_that_has_moved_is_not_reported_to_have_left() -> None:
    presence = moving()
    presence.from_program([say(9, 3)], 0.0)
    presence.from_program([say(9, 3, GONE)], 1.0)
    assert presence.from_program([say(9, 5)], 1.2) == [say(9, 5)]
    assert presence.overdue(10.0) == []


def test_the_old_program_is_not_believed_about_a_client_that_the_new_one_has() -> None:
    presence = moving()
    presence.from_program([say(9, 1)], 0.0, 0)
    presence.from_program([say(9, 3)], 1.0, 1)
    presence.from_program([say(9, 3)], 1.0, 0)
    assert presence.from_program([say(9, 3, GONE)], 1.0, 0) == []
    assert presence.overdue(10.0) == []


def test_the_new_program_is_believed_about_a_client_that_has_left() -> None:
    presence = moving()
    presence.from_program([say(9, 3)], 1.0, 1)
    assert presence.from_program([say(9, 3, GONE)], 1.0, 1) == []
    assert presence.overdue(10.0) == [say(9, 3, GONE)]


def test_what_is_remembered_of_others_has_a_bound() -> None:
    presence = moving()
    presence.from_client([say(1, 5)])
    presence.from_program([say(10 + n, 1) for n in range(MOST_OTHERS + 10)], 0.0)
    presence.from_client([say(10 + MOST_OTHERS + 5, 1)])
    assert presence.announce() == [say(1, 7)]
