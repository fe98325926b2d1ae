"""Counts in sentences: `1 session`, `2 sessions`, `1,000 processes`."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, which gets an `s`, or is `plural`, unless it is one."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
