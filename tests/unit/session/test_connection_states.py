"""The states of a connection: every event in every state, and what no order of events breaks."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from isshoni.session.close_codes import CloseCode
from isshoni.session.server.connection_events import (
    AcceptAnyRate,
    AllRead,
    BinaryReceived,
    CancelReading,
    ClientLeft,
    CloseAsked,
    CloseTimedOut,
    Effect,
    Event,
    FinishAsked,
    FrameReceived,
    ReadingStopped,
    RestoreAnswered,
    RestoreAsked,
    RestoreFailed,
    SendClose,
    StartCloseTimer,
    StopSending,
    TextReceived,
    WritesSettled,
)
from isshoni.session.server.connection_states import (
    Client,
    Closed,
    Closing,
    Connecting,
    Ending,
    Finishing,
    IllegalEvent,
    Restored,
    Restoring,
    State,
    transition,
)

GOING, RESUME = CloseCode.SERVICE_RESTART, CloseCode.RESUME
NEW = Client()
ANN = Client(speaks_json=True, takes_chat=True, can_migrate=True, author="ann", generation=3)

STATES: dict[str, State] = {
    "connecting": Connecting(NEW),
    "restoring": Restoring(NEW),
    "again": Restoring(ANN),
    "restored": Restored(ANN),
    "handling": Finishing(Restored(ANN), GOING, frame_in_hand=True),
    "writing": Finishing(Restored(ANN), GOING, frame_in_hand=False),
    "late": Finishing(Restoring(NEW), GOING, frame_in_hand=True),
    "closing": Closing(ANN, RESUME),
    "closed": Closed(ANN, Ending.LEFT),
}
EVENTS: dict[str, Event] = {
    "text": TextReceived(),
    "binary": BinaryReceived(),
    "asked": RestoreAsked(can_replica=True),
    "answered": RestoreAnswered("ann", 3, can_migrate=True),
    "failed": RestoreFailed(),
    "finish": FinishAsked(GOING),
    "taken": FrameReceived(),
    "read": AllRead(),
    "settled": WritesSettled(),
    "close": CloseAsked(CloseCode.NO_HELLO),
    "timeout": CloseTimedOut(),
    "left": ClientLeft(1006),
    "stopped": ReadingStopped(),
}
# One row a state, one column an event: the next state; "." for none, "!" for an illegal event.
TABLE = """
            text        binary      asked     answered failed     finish    taken    read    settled close   timeout left   stopped
connecting  connecting  connecting  restoring !        !          finishing !        !       !       closing !       closed closed
restoring   !           !           !         restored connecting finishing !        !       !       closing !       closed closed
again       !           !           !         restored restored   finishing !        !       !       closing !       closed closed
restored    restored    restored    restoring !        !          finishing !        !       !       closing !       closed closed
handling    finishing   finishing   finishing !        !          .         .        writing .       closing !       closed closed
writing     finishing   finishing   finishing !        !          .         handling .       closing closing !       closed closed
late        !           !           !         handling finishing  .         .        finishing .     closing !       closed closed
closing     !           !           !         .        .          .         !        .       .       .       closed  closed closed
closed      !           !           !         .        .          .         !        .       .       .       .       .      .
"""  # noqa: E501
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CASES = [
    (row[0], event, expected)
    for row in ROWS[1:]
    for event, expected in zip(ROWS[0], row[1:], strict=True)
]
KINDS = {
    "connecting": Connecting,
    "restoring": Restoring,
    "restored": Restored,
    "finishing": Finishing,
    "closing": Closing,
    "closed": Closed,
}


def test_the_table_names_every_state_and_every_event() -> None:
    assert ROWS[0] == list(EVENTS)
    assert [row[0] for row in ROWS[1:]] == list(STATES)
    assert {type(event) for event in EVENTS.values()} == set(Event.__args__)


@pytest.mark.parametrize(("state", "event", "expected"), CASES)
def test_every_event_in_every_state(state: str, event: str, expected: str) -> None:
    before = STATES[state]
    if expected == "!":
        with pytest.raises(IllegalEvent, match=type(EVENTS[event]).__name__):
            transition(before, EVENTS[event])
        return
    after, effects = transition(before, EVENTS[event])
    if expected == ".":
        assert (after, effects) == (before, ())
    elif expected in ("handling", "writing"):
        assert isinstance(after, Finishing)
        assert after.frame_in_hand is (expected == "handling")
    else:
        assert type(after) is KINDS[expected]


def after_all(*events: Event) -> tuple[State, list[Effect]]:
    """Return the state and all the effects after these events of a new connection."""
    state: State = Connecting()
    effects: list[Effect] = []
    for event in events:
        state, more = transition(state, event)
        effects += more
    return state, effects


def test_a_restored_client_is_known_by_what_it_asked_for() -> None:
    asked, answered = RestoreAsked(can_replica=True), RestoreAnswered("ann", 4, can_canvas=True)
    state, effects = after_all(TextReceived(), asked, answered)
    assert state == Restored(
        Client(
            speaks_json=True,
            takes_chat=True,
            can_canvas=True,
            can_replica=True,
            author="ann",
            generation=4,
        )
    )
    assert effects == []


def test_only_a_client_that_does_not_read_the_canvas_as_yjs_is_sent_elements() -> None:
    assert not NEW.takes_elements
    json_only, _ = after_all(RestoreAsked(), RestoreAnswered("ann"))
    yjs_too, _ = after_all(RestoreAsked(), RestoreAnswered("ann", can_canvas=True))
    assert (json_only.client.takes_elements, yjs_too.client.takes_elements) == (True, False)


def test_a_failed_second_restore_leaves_the_client_in_the_session() -> None:
    answered = RestoreAnswered("ann", 1, can_migrate=True)
    state, _ = after_all(RestoreAsked(), answered, RestoreAsked(can_replica=True), RestoreFailed())
    client = Client(takes_chat=True, can_migrate=True, can_replica=True, author="ann", generation=1)
    assert state == Restored(client)


def test_a_frame_that_was_in_hand_is_waited_for_and_then_its_write() -> None:
    events: list[Event] = [
        RestoreAsked(),
        RestoreAnswered("ann"),
        FinishAsked(GOING, frame_in_hand=True),
    ]
    state, effects = after_all(*events, WritesSettled())
    assert isinstance(state, Finishing)
    assert effects == [AcceptAnyRate()]
    state, effects = after_all(*events, WritesSettled(), AllRead(), WritesSettled())
    assert isinstance(state, Closing)
    assert effects == [AcceptAnyRate(), SendClose(GOING), StartCloseTimer()]


def test_a_restore_in_hand_is_answered_before_the_end() -> None:
    finish = FinishAsked(GOING, frame_in_hand=True)
    state, _ = after_all(TextReceived(), RestoreAsked(), finish, RestoreAnswered("ann", 2))
    assert isinstance(state, Finishing)
    assert state.client.takes_chat


def test_a_close_frame_that_is_not_read_ends_the_reading() -> None:
    state, effects = after_all(CloseAsked(RESUME, discard=True), CloseTimedOut())
    assert state == Closed(NEW, Ending.ABANDONED)
    assert effects == [
        SendClose(RESUME, discard=True),
        StartCloseTimer(),
        CancelReading(),
        StopSending(),
    ]


@pytest.mark.parametrize(("code", "ending"), [(1000, Ending.GOODBYE), (1001, Ending.LEFT)])
def test_only_a_close_with_1000_is_a_goodbye(code: int, ending: Ending) -> None:
    assert after_all(ClientLeft(code))[0] == Closed(NEW, ending)


class AnyOrder(RuleBasedStateMachine):
    """Any events in any order, the illegal ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = Connecting()
        self.effects: list[Effect] = []

    @rule(event=st.sampled_from(list(EVENTS.values())))
    def happens(self, event: Event) -> None:
        before = self.state
        try:
            self.state, effects = transition(before, event)
        except IllegalEvent:
            assert self.state is before
            return
        self.effects += effects
        self._check_client(before.client, self.state.client)
        if isinstance(before, Closed):
            assert (self.state, effects) == (before, ())
        if isinstance(before, Finishing) and isinstance(event, WritesSettled):
            assert isinstance(self.state, Closing) is not before.frame_in_hand

    @rule(in_hand=st.booleans(), event=st.sampled_from([AllRead(), WritesSettled()]))
    def ends_in_order(self, in_hand: bool, event: Event) -> None:
        self.happens(FinishAsked(GOING, in_hand))
        self.happens(event)

    def _check_client(self, before: Client, after: Client) -> None:
        for fact in ("speaks_json", "takes_chat", "takes_canvas", "author"):
            assert bool(getattr(after, fact)) >= bool(getattr(before, fact)), fact

    def _count(self, kind: type[Any]) -> int:
        return sum(isinstance(effect, kind) for effect in self.effects)

    @invariant()
    def is_closed_once(self) -> None:
        has_sent_close = self._count(SendClose)
        assert has_sent_close <= 1
        assert self._count(StartCloseTimer) == has_sent_close
        assert self._count(CancelReading) <= has_sent_close
        assert self._count(StopSending) == isinstance(self.state, Closed)
        if isinstance(self.state, Closing):
            assert has_sent_close


TestAnyOrder = AnyOrder.TestCase
