"""Who is in a session: steady through moves, gone when gone, and not told twice."""

from isshoni.session.server.presence import FORGET_SECONDS, MAX_REMEMBERED, NOBODY, Presence
from isshoni.session.server.yjs_update import Announcement, encode_awareness_states, parse_awareness

ANN, BOB = 7, 300


def says(client: int, clock: int, state: str = '{"name":"보람"}') -> list[Announcement]:
    return [Announcement(client, clock, state.encode())]


def test_what_is_encoded_is_read_back() -> None:
    both = says(ANN, 1) + says(BOB, 2**40, "null")
    assert parse_awareness(encode_awareness_states(both)) == both


def test_a_newcomer_is_told_of_everybody_who_is_here() -> None:
    presence = Presence()
    presence.take("blue-1", {ANN}, says(ANN, 1), now=0.0)
    presence.hear(says(BOB, 5), now=1.0)
    presence.hear(says(9, 1), now=1.0)
    presence.hear(says(9, 1, "null"), now=2.0)
    everybody = presence.everybody(now=3.0)
    assert everybody is not None
    assert {one.client for one in parse_awareness(everybody)} == {ANN, BOB}
    assert presence.everybody(now=2.0 + FORGET_SECONDS + 0.1) is None


def test_what_others_repeat_is_not_told_again() -> None:
    presence = Presence()
    assert presence.take("1", {ANN}, says(ANN, 1), now=0.0) is not None
    assert presence.take("2", {BOB}, says(ANN, 1), now=0.0) is None
    assert presence.take("1", {ANN}, says(ANN, 1), now=0.0) is not None, "said of oneself"
    assert presence.take("2", {BOB}, says(ANN, 2), now=0.0) is not None, "it is news"


def test_whoever_is_gone_is_told_to_have_left() -> None:
    presence = Presence()
    presence.take("1", {ANN}, says(ANN, 3), now=0.0)
    presence.hear(says(ANN, 3), now=0.1)
    left = presence.remove_silent("1", since=1.0)
    assert left is not None
    assert parse_awareness(left) == [Announcement(ANN, 3, NOBODY)]
    assert presence.remove_silent("1", since=1.0) is None


def test_whoever_moved_or_came_back_never_left() -> None:
    presence = Presence()
    presence.take("1", {ANN}, says(ANN, 3), now=0.0)
    presence.hear(says(ANN, 3), now=2.0)  # from the other colour
    assert presence.remove_silent("1", since=1.0) is None
    presence.take("2", {BOB}, says(BOB, 3), now=0.0)
    presence.take("3", {BOB}, says(BOB, 3), now=0.5)  # here, before the old socket was found dead
    assert presence.remove_silent("2", since=1.0) is None


def test_made_up_people_push_out_the_oldest_and_no_more_are_kept() -> None:
    presence = Presence()
    crowd = [Announcement(client, 1, b"{}") for client in range(2 * MAX_REMEMBERED)]
    presence.take("1", set(), crowd, now=0.0)
    everybody = presence.everybody(now=0.0)
    assert everybody is not None
    assert len(parse_awareness(everybody)) == MAX_REMEMBERED
