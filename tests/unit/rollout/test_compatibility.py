"""Which versions may share sessions."""

import pytest

from isshoni.rollout.compatibility import FIRST, FIRST_FORMATS, assess_formats
from isshoni.rollout.model import Formats

PLAIN = FIRST_FORMATS
READS_KEY = Formats(FIRST, (*FIRST, "seal:k1"))
WRITES_KEY = Formats((*FIRST[:3], "seal:k1"), (*FIRST, "seal:k1"))
ROTATING = Formats((*FIRST[:3], "seal:k1"), (*FIRST, "seal:k1", "seal:k2"))
ROTATED = Formats((*FIRST[:3], "seal:k2"), (*FIRST, "seal:k1", "seal:k2"))
NEXT_CHAT = Formats(("chat:2", *FIRST[1:]), (*FIRST, "chat:2"))


@pytest.mark.spec("A5")
@pytest.mark.parametrize(
    ("candidate", "stable"),
    [
        (None, None),
        (None, PLAIN),
        (PLAIN, None),
        (READS_KEY, PLAIN),
        (WRITES_KEY, READS_KEY),
        (ROTATING, WRITES_KEY),
        (ROTATED, ROTATING),
    ],
)
def test_versions_that_read_each_other_may_share(
    candidate: Formats | None, stable: Formats | None
) -> None:
    assert assess_formats(("v2", candidate), ("v1", stable)) is None
    assert assess_formats(("v2", stable), ("v1", candidate)) is None


@pytest.mark.spec("A5")
@pytest.mark.parametrize(
    ("candidate", "stable", "unread"),
    [
        (WRITES_KEY, PLAIN, "seal:k1"),
        (WRITES_KEY, None, "seal:k1"),
        (ROTATED, WRITES_KEY, "seal:k2"),
        (NEXT_CHAT, PLAIN, "chat:2"),
    ],
)
def test_a_version_that_writes_what_the_other_cannot_read_is_named(
    candidate: Formats, stable: Formats | None, unread: str
) -> None:
    refusal = assess_formats(("v2", candidate), ("v1", stable))
    assert refusal is not None
    assert refusal.startswith(f"v2 writes what v1 cannot read: {unread}.")
    back = assess_formats(("v1", stable), ("v2", candidate))
    assert back is not None
    assert back.startswith(f"v2 writes what v1 cannot read: {unread}.")
