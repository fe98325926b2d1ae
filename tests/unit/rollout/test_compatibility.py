"""Which versions may share sessions."""

import re

import pytest

from isshoni.rollout.compatibility import FIRST, FIRST_FORMATS, assess_formats, assess_protocol
from isshoni.rollout.model import BackendStatus, Formats

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


def speaking(protocol: int | None, *, ours: bool = False) -> BackendStatus:
    return BackendStatus("v", True, False, 0, 0, speaks_isshoni=ours, protocol=protocol)


@pytest.mark.parametrize(
    ("candidate", "stable", "words"),
    [
        (speaking(1, ours=True), speaking(1, ours=True), None),
        (speaking(1, ours=True), None, None),  # stable is dead, or a program without the API
        (speaking(None), speaking(1, ours=True), None),  # a program with a protocol of its own
        (speaking(1, ours=True), speaking(None), None),
        (None, speaking(1, ours=True), None),
        (speaking(2), speaking(1, ours=True), "v2 speaks version 2 .* v1 version 1"),
        (speaking(1, ours=True), speaking(2), "v2 speaks version 1 .* v1 version 2"),
        (speaking(2), speaking(2), "probes of this Isshoni do not"),
        (speaking(2), None, "probes of this Isshoni do not"),
    ],
)
def test_a_candidate_that_clients_or_probes_cannot_talk_to_is_named(
    candidate: BackendStatus | None, stable: BackendStatus | None, words: str | None
) -> None:
    fault = assess_protocol(("v2", candidate), ("v1", stable))
    assert fault is None if words is None else fault and re.search(words, fault)
