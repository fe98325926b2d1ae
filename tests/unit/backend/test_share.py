"""Which sessions move first."""

from isshoni.session.server.share import calculate_bucket_pct, is_in_share

SESSIONS = [f"session-{number}" for number in range(10_000)]


def chosen(share_pct: float) -> set[str]:
    return {session for session in SESSIONS if is_in_share(session, share_pct)}


def test_a_greater_share_contains_every_smaller_one() -> None:
    assert chosen(1) < chosen(10) < chosen(50) < chosen(100) == set(SESSIONS)


def test_a_share_is_as_great_as_it_says() -> None:
    for share_pct in (1, 10, 50, 90):
        assert abs(len(chosen(share_pct)) / 100 - share_pct) < 1.5


def test_every_process_and_version_chooses_the_same() -> None:
    assert round(calculate_bucket_pct("test"), 3) == 45.526
