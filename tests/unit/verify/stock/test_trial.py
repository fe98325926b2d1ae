"""What a trial message shows, and what is refused since nothing could be judged by it."""

import pytest

from isshoni.verify.stock.ids import MessageId, find_ids, make_id, make_trial_id
from isshoni.verify.stock.settings import Kind, StockSettings
from isshoni.verify.stock.shapes import shape_of
from isshoni.verify.stock.trial import Frames, NothingCameBack, Reach, Unclear, judge_trial

RUN = "a1b2c3"
ID = make_trial_id(RUN, 0, 0)


def frames(*texts: str) -> Frames:
    return [(text, shape_of(text, find_ids(RUN, text)[0])) for text in texts]


def test_an_id_is_found_in_whatever_an_application_makes_of_a_message() -> None:
    text = make_id(RUN, 3, 14)
    expected = [MessageId(3, 14, text)]
    for frame in (text, f'{{"text":"{text}!"}}', f"<b>{text.upper()}</b>", f"{text} {text}"):
        assert find_ids(RUN, frame) == expected


def test_ids_of_other_runs_and_longer_numbers_are_not_taken_for_this_one() -> None:
    assert find_ids(RUN, make_id("ffffff", 3, 14)) == []
    assert [one.n for one in find_ids(RUN, make_id(RUN, 3, 145))] == [145]


def test_each_trial_has_an_id_of_its_own_and_the_number_0() -> None:
    texts = {make_trial_id(RUN, 0, attempt) for attempt in range(3)}
    assert len(texts) == 3
    assert {find_ids(RUN, text)[0].n for text in texts} == {0}


def test_the_shape_of_a_frame_is_the_same_for_each_sender_and_time() -> None:
    one, other = make_id(RUN, 1, 1), make_id(RUN, 2, 27)
    first = f'{{"at":"2026-01-02T10:00:00Z","from":"c81","text":"{one}"}}'
    second = f'{{"at":"2026-11-22T19:30:07Z","from":"9f","text":"{other}"}}'
    assert shape_of(first, find_ids(RUN, first)[0]) == shape_of(second, find_ids(RUN, second)[0])


@pytest.mark.parametrize(
    ("own", "others", "reach"),
    [
        ([ID], {1: [ID], 2: [ID]}, Reach.ROOM),
        ([], {1: [ID], 2: [ID]}, Reach.OTHERS),
        ([ID], {1: [], 2: []}, Reach.SENDER),
        ([ID], {}, Reach.SENDER),
    ],
)
def test_a_trial_shows_whom_a_message_reaches(
    own: list[str], others: dict[int, list[str]], reach: Reach
) -> None:
    trial = judge_trial(frames(*own), {n: frames(*texts) for n, texts in others.items()})
    assert trial is not None
    assert trial.reach is reach
    assert str(reach) in trial.describe()


@pytest.mark.parametrize("others", [{1: [], 2: []}, {1: [ID], 2: []}])
def test_a_trial_that_reached_none_or_not_all_is_repeated(others: dict[int, list[str]]) -> None:
    assert judge_trial([], {n: frames(*texts) for n, texts in others.items()}) is None


def test_a_reply_to_the_sender_is_not_taken_for_a_second_delivery() -> None:
    said = f"Client #140231 says: {ID}"
    trial = judge_trial(frames(f"You wrote: {ID}", said), {1: frames(said), 2: frames(said)})
    assert trial is not None
    assert trial.reach is Reach.ROOM
    assert trial.replies == {"You wrote: …"}
    assert trial.sample == said


def test_an_application_that_delivers_twice_by_itself_is_refused() -> None:
    with pytest.raises(Unclear, match="came 2 times to one client"):
        judge_trial(frames(ID), {1: frames(ID, ID)})


def test_the_error_when_nothing_comes_back_names_the_message_the_address_and_what_came() -> None:
    settings = StockSettings(Kind.PLAIN, "ws://h:1/ws", '{"t":"{id}"}')
    silent = str(NothingCameBack(settings, '{"t":"x"}', []))
    assert '\'{"t":"x"}\' was sent to ws://h:1/ws, and no frame came at all' in silent
    assert "--message-template" in silent
    talkative = str(NothingCameBack(settings, "x", ['{"error":"bad type"}']))
    assert '1 frame(s) without it came, for example \'{"error":"bad type"}\'' in talkative
