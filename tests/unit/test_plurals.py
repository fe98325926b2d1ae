"""Counts with their nouns."""

from isshoni.plurals import count


def test_one_is_singular_and_all_else_plural() -> None:
    assert [count(n, "session") for n in (0, 1, 2)] == ["0 sessions", "1 session", "2 sessions"]
    assert count(1, "process", "processes") == "1 process"
    assert count(1200, "process", "processes") == "1,200 processes"
