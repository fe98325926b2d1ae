"""What a synthetic user does about other messages: replies, reactions, edits, deletions."""

import random
from collections import deque
from typing import NamedTuple

from isshoni.session.chat_content import DELETE, EDIT, REACT, REPLY, UNREACT, About, read_about
from isshoni.session.conversation import ACTS
from isshoni.session.from_server import ChatEvent

RECENT = 4
"""A user acts on this many last messages of others, and of its own: few, as users are many."""
KINDS = (REPLY, REACT, UNREACT, EDIT, DELETE)
_NEEDED = {REPLY: "reply", REACT: "react", UNREACT: "react", EDIT: "edit", DELETE: "delete"}
_STRANGER_SHARE = 0.25
"""Of the edits and deletions: every reader must ignore what another author tries."""


class Act(NamedTuple):
    """Something to send about another message."""

    about: About
    emoji: str | None = None
    """The text, if it is a reaction."""


class Acts:
    """Remembers the last messages that a user was given, and invents acts about them."""

    def __init__(self, client_id: str, rng: random.Random, share: float) -> None:
        self._client_id = client_id
        self._rng = rng
        self._share = share
        self._recent: deque[About] = deque(maxlen=RECENT)
        self._own: deque[About] = deque(maxlen=RECENT)
        self._reacted: deque[tuple[About, str]] = deque(maxlen=RECENT)

    def record(self, event: ChatEvent) -> None:
        """Remember a message that was delivered, unless it is an act itself."""
        about = read_about(event.about)
        if event.unreadable or (about is not None and about.kind in ACTS):
            return
        named = About(REPLY, event.client_id, event.n, event.by)
        (self._own if event.client_id == self._client_id else self._recent).append(named)

    def invent(self, features: tuple[str, ...]) -> Act | None:
        """Return what to do instead of a plain message; None most of the time."""
        if not features or self._rng.random() >= self._share:
            return None
        kind = self._rng.choice(KINDS)
        if _NEEDED[kind] not in features:
            return None
        if kind == UNREACT:
            return self._invent_unreact()
        is_own = kind in (EDIT, DELETE) and self._rng.random() >= _STRANGER_SHARE
        targets = self._own if is_own else self._recent
        if not targets:
            return None
        target = self._rng.choice(targets)
        about = About(kind, target.client_id, target.n, target.by)
        return self._invent_react(about) if kind == REACT else Act(about)

    def _invent_react(self, about: About) -> Act:
        # The ledger knows a message by its text, which no other has.
        emoji = f"👍{self._rng.getrandbits(64):016x}"
        self._reacted.append((about, emoji))
        return Act(about, emoji)

    def _invent_unreact(self) -> Act | None:
        if not self._reacted:
            return None
        target, emoji = self._reacted.popleft()
        return Act(About(UNREACT, target.client_id, target.n, target.by), emoji)


def make_identity(text: str, about: object) -> str:
    """Return the ledger's key of a message: its text, and what it is about."""
    read = read_about(about)
    if read is None:
        return text
    return f"{text}\0{read.kind} {read.client_id} {read.n} {read.by or ''}"
