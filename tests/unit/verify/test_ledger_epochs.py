"""A log that begins again under another epoch: nothing acknowledged is missing, nothing twice."""

from collections.abc import Sequence

import pytest

from isshoni.verify.judge import judge
from isshoni.verify.ledger import Ledger
from tests.unit.verify.recordings import SESSION

OLD, NEW = "before", "after"
BEFORE = [1, 2, 3, 4, 5]
MERGED = [1, 2, 3, 6, 7, 4, 5]
"""The new primary lacked 4 and 5 and took 6 and 7 at their places; 4 and 5 were appended."""


def counts(ledger: Ledger) -> tuple[int, int, int]:
    findings = judge(ledger)
    return findings.lost, findings.doubled, findings.reordered


class Fork:
    """A session of two users whose log forks after message 5; each message is known by a number."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.senders: dict[int, tuple[str, int]] = {}
        for user in (0, 1):
            self.ledger.add_user(f"c-{user}", SESSION)
            self.ledger.record_joined(user, 0, OLD)
        self.send(0, BEFORE, OLD)
        for user in (0, 1):
            self.give(user, BEFORE)

    def send(self, user: int, numbers: Sequence[int], epoch: str) -> None:
        """Type and acknowledge messages, each at the place of its number or two before."""
        for number in numbers:
            n = sum(name == f"c-{user}" for name, _ in self.senders.values()) + 1
            self.senders[number] = (f"c-{user}", n)
            self.ledger.record_sent(user, n, f"message {number}", at=0.0)
            seq = number if number in BEFORE else number - 2
            self.ledger.record_ack(user, n, seq, epoch)

    def give(self, user: int, numbers: Sequence[int], *, first_seq: int = 1) -> None:
        """Deliver messages to a user at consecutive places."""
        for seq, number in enumerate(numbers, first_seq):
            client_id, n = self.senders[number]
            text = f"message {number}"
            self.ledger.record_delivery(user, seq, client_id, n, text, at=0.1)

    def begin_again(self, user: int, numbers: Sequence[int], *, first_seq: int = 1) -> None:
        """Restore a user under the new epoch with this history."""
        self.ledger.record_other_epoch(user, NEW)
        self.give(user, numbers, first_seq=first_seq)

    def end(self, numbers: Sequence[int], *, first_seq: int = 1) -> None:
        """Read the log at the end."""
        entries = [(seq, f"message {number}") for seq, number in enumerate(numbers, first_seq)]
        self.ledger.record_final_log(SESSION, entries, NEW)


def forked() -> Fork:
    """Return a fork in which user 1 wrote 6 and 7 to the new primary."""
    fork = Fork()
    fork.send(1, [6, 7], OLD)
    return fork


def test_a_merged_log_with_everything_has_no_fault() -> None:
    fork = forked()
    assert not fork.ledger.everything_delivered()
    for user in (0, 1):
        fork.begin_again(user, MERGED)
    fork.end(MERGED)
    assert fork.ledger.everything_delivered()
    assert counts(fork.ledger) == (0, 0, 0)
    assert judge(fork.ledger).delivered == 14, "a message that is shown again counts once"


def test_users_of_two_branches_need_not_agree_on_an_epoch_that_ended() -> None:
    fork = forked()
    visitor = fork.ledger.add_user("c-visitor", SESSION)
    fork.ledger.record_joined(visitor, 3, OLD)
    fork.give(visitor, [6, 7], first_seq=4)
    fork.ledger.record_stopped_reading(visitor)
    assert judge(fork.ledger).reordered == 2, "they disagree, and the epoch has not ended"
    for user in (0, 1):
        fork.begin_again(user, MERGED)
    fork.end(MERGED)
    assert counts(fork.ledger) == (0, 0, 0)


def test_not_everything_is_delivered_while_a_user_is_in_the_earlier_epoch() -> None:
    fork = forked()
    fork.begin_again(0, MERGED)
    assert not fork.ledger.everything_delivered()


@pytest.mark.spec("A4", "E1")
@pytest.mark.parametrize("missing", [2, 4, 6])
def test_a_message_that_the_merged_log_lacks_is_lost(missing: int) -> None:
    fork = forked()
    merged = [number for number in MERGED if number != missing]
    for user in (0, 1):
        fork.begin_again(user, merged)
    fork.end(merged)
    assert judge(fork.ledger).lost == 1


@pytest.mark.spec("A4")
def test_a_message_that_the_merged_log_has_twice_is_doubled() -> None:
    fork = forked()
    merged = [*MERGED, 4]
    for user in (0, 1):
        fork.begin_again(user, merged)
    assert counts(fork.ledger) == (0, 1, 0)


def test_a_message_that_only_the_final_log_has_twice_is_doubled() -> None:
    fork = forked()
    for user in (0, 1):
        fork.begin_again(user, MERGED)
    fork.end([*MERGED, 5])
    assert counts(fork.ledger) == (0, 1, 0)


def test_a_message_that_one_user_is_not_shown_again_is_lost() -> None:
    fork = forked()
    fork.begin_again(0, MERGED)
    fork.begin_again(1, MERGED[:3])
    fork.give(1, MERGED[4:], first_seq=5)
    assert judge(fork.ledger).lost == 1


def test_a_bounded_history_after_a_merge_says_nothing_of_what_is_older() -> None:
    fork = forked()
    for user in (0, 1):
        fork.begin_again(user, MERGED[2:], first_seq=3)
    fork.end(MERGED[4:], first_seq=5)
    assert counts(fork.ledger) == (0, 0, 0)


def test_a_message_that_no_user_saw_in_the_merged_log_is_lost_behind_a_bounded_end() -> None:
    """Message 5 was seen at place 5 before; the users were shown all from place 3 on."""
    fork = forked()
    for user in (0, 1):
        fork.begin_again(user, [3, 6, 7, 4], first_seq=3)
    fork.end([7, 4], first_seq=5)
    assert judge(fork.ledger).lost == 1


def test_users_who_disagree_on_the_order_of_a_merged_log_show_reordering() -> None:
    fork = forked()
    fork.begin_again(0, MERGED)
    fork.begin_again(1, [1, 2, 3, 7, 6, 4, 5])
    assert judge(fork.ledger).reordered == 2


def test_a_user_who_comes_after_a_merge_is_owed_what_follows() -> None:
    fork = forked()
    for user in (0, 1):
        fork.begin_again(user, MERGED)
    late = fork.ledger.add_user("c-late", SESSION)
    fork.ledger.record_joined(late, 7, NEW)
    assert fork.ledger.everything_delivered() is False
    fork.ledger.record_delivery(late, 7, *fork.senders[5], "message 5", at=0.1)
    assert fork.ledger.everything_delivered()
    assert counts(fork.ledger) == (0, 0, 0)
