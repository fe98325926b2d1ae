"""Synthetic users."""

from isshoni.backend.share import is_in_share
from isshoni.environments.probe_round import make_session_id


def test_sessions_of_probes_are_in_no_share_that_moves_before_all_do() -> None:
    assert not any(is_in_share(make_session_id(), 95.0) for _ in range(50))
