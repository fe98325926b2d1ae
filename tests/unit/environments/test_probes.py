"""Synthetic users."""

from isshoni.environments.http import Answer
from isshoni.environments.probe_round import describe_error, make_session_id
from isshoni.session.server.share import is_in_share


def test_sessions_of_probes_are_not_moved_by_a_partial_move() -> None:
    assert not any(is_in_share(make_session_id(), 95.0) for _ in range(50))


def test_an_error_is_quoted_without_control_characters() -> None:
    answer = Answer(503, b"no healthy\n\x1b[2Jupstream " + b"x" * 500)
    told = describe_error("/readyz", answer)
    assert told.startswith("HTTP 503 for /readyz: no healthy [2Jupstream xxx")
    assert len(told) < 160
    assert describe_error("/", Answer(500, b"")) == "HTTP 500 for /"
