"""Which part is at fault for a long cut of a stock client."""

import pytest

from isshoni.verify.attribution import Part, Probe, ProbeOutcome
from isshoni.verify.gaps import Cut
from isshoni.verify.stock.attribution import attribute_stock

REFUSED, ANSWERED = ProbeOutcome.REFUSED, ProbeOutcome.TURNED_AWAY


@pytest.mark.parametrize(
    ("attempts", "part", "words"),
    [
        ([(11.0, REFUSED), (19.0, REFUSED)], Part.BALANCER, "nothing listened"),
        ([(11.0, REFUSED), (15.0, ANSWERED), (19.0, ANSWERED)], Part.BALANCER, "HTTP status 502"),
        ([(11.0, REFUSED)], Part.RECONNECT, "it did not try for 10.0 s at the end"),
    ],
)
def test_the_attempts_of_a_client_show_the_part_at_fault(
    attempts: list[tuple[float, ProbeOutcome]], part: Part, words: str
) -> None:
    cut = Cut(10.0, 21.0, ended=True, colour="application", close_code=1012)
    probes = [Probe(at, outcome, "HTTP status 502") for at, outcome in attempts]
    found, sentence = attribute_stock(cut, probes)
    assert found is part
    assert words in sentence
    assert "close code 1012" in sentence


def test_without_any_attempt_until_the_end_nothing_is_concluded() -> None:
    cut = Cut(10.0, 21.0, ended=False, colour="application", close_code=None)
    part, sentence = attribute_stock(cut, [])
    assert part is Part.UNKNOWN
    assert "never came back" in sentence
