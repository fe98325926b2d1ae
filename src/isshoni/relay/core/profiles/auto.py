"""Any protocol, until the first messages show which one it is.

Messages pass as they come, and are recorded. A protocol is chosen when the client has begun it
and the program has answered in it: both have to speak it, so that one message that looks like
another protocol's decides nothing. Then the recorded messages are replayed into its profile.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence

from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.guess import guess_by_client, is_confirmed
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.profiles.profile import Profile

MOST_MESSAGES = 8
"""Of each direction; after that it is a protocol that is not known."""
MOST_BYTES = 1 << 20
ANSWER_SECONDS = 3.0
"""For a program to answer a protocol that the client has begun."""


class Auto:
    """Behaves as `plain` until the first messages show the protocol."""

    __slots__ = (
        "_begun_at",
        "_chosen",
        "_guess",
        "_make",
        "_missed_join",
        "_newest",
        "_now",
        "_recorded",
        "_switched_to",
    )

    def __init__(self, plain: Plain, make: Callable[[str], Profile]) -> None:
        self._make = make
        self._chosen: Profile = plain
        self._recorded: list[tuple[int | None, Message, float]] | None = []
        """The messages so far, each with the number of its program, or None for the client's;
        None once the choice was made."""
        self._guess: str | None = None
        self._begun_at = self._now = 0.0
        self._newest = self._switched_to = 0
        self._missed_join = False
        """True if a new program was joined before the protocol was known."""

    @property
    def is_decided(self) -> bool:
        """True once a profile was chosen for good, which may be `plain`."""
        return self._recorded is None

    # Messages

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record the message, and check whether it begins a protocol."""
        self._now = now
        if self._recorded is None:
            return self._chosen.from_client(message, now)
        self._recorded.append((None, message, now))
        self._chosen.from_client(message, now)
        if self._guess is None:
            self._guess, self._begun_at = guess_by_client(message), now
        self._decide()
        return (message,)

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Record the message, and check whether it confirms the protocol."""
        self._now = now
        if self._recorded is None:
            return self._chosen.from_program(number, message, now)
        self._recorded.append((number, message, now))
        self._decide()
        return (message,)

    def _decide(self) -> None:
        assert self._recorded is not None
        answers = [message for number, message, _ in self._recorded if number is not None]
        asked = len(self._recorded) - len(answers)
        if self._guess is not None and is_confirmed(self._guess, answers):
            self._choose(self._make(self._guess))
        elif (
            max(asked, len(answers)) >= MOST_MESSAGES
            or sum(len(message.data) for _, message, _ in self._recorded) > MOST_BYTES
        ):
            self._recorded = None  # it stays plain

    def _choose(self, chosen: Profile) -> None:
        """Choose a profile, and replay into it the messages so far."""
        assert self._recorded is not None
        recorded, self._recorded = self._recorded, None
        self._chosen = chosen
        self._missed_join = self._newest != self._switched_to
        if self._newest:
            chosen.preamble(self._newest)
        if self._switched_to:
            chosen.moved()
        for number, message, now in recorded:
            if number is None:
                chosen.from_client(message, now)
            else:
                chosen.from_program(number, message, now)

    # What the profile needs and knows

    @property
    def reads_client(self) -> bool:
        """True until the choice was made; then as the chosen profile has it."""
        return self._recorded is not None or self._chosen.reads_client

    @property
    def reads_program(self) -> bool:
        """True until the choice was made; then as the chosen profile has it."""
        return self._recorded is not None or self._chosen.reads_program

    @property
    def is_busy(self) -> bool:
        """True while the client's protocol is unanswered, or a new program joined without it."""
        if self._recorded is None:
            return self._missed_join or self._chosen.is_busy
        return self._guess is not None and self._now - self._begun_at < ANSWER_SECONDS

    @property
    def can_move(self) -> bool:
        """As the chosen profile has it."""
        return self._chosen.can_move

    @property
    def in_unit(self) -> bool:
        """As the chosen profile has it."""
        return self._chosen.in_unit

    @property
    def has_joined(self) -> bool:
        """As the chosen profile has it."""
        return self._chosen.has_joined

    @property
    def was_refused(self) -> bool:
        """As the chosen profile has it."""
        return self._chosen.was_refused

    @property
    def must_announce(self) -> bool:
        """As the chosen profile has it."""
        return self._chosen.must_announce

    # A move

    def goes_past_hold(self, message: Message) -> bool:
        """As the chosen profile has it."""
        return self._chosen.goes_past_hold(message)

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return what the chosen profile has for programs."""
        return self._chosen.for_programs()

    def preamble(self, number: int) -> Sequence[Message]:
        """Return what a new program has to be sent."""
        self._newest, self._missed_join = number, False
        return self._chosen.preamble(number)

    def moved(self) -> Sequence[Message]:
        """Return what the client has to be sent."""
        self._switched_to = self._newest
        return self._chosen.moved()

    def switched(self) -> Sequence[Message]:
        """Return what the new program has to be sent once the old one has ended."""
        return self._chosen.switched()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return messages for the client that were kept back and are due."""
        self._now = now
        return self._chosen.overdue(now)

    def key(self, message: Message) -> Hashable | None:
        """Return what two copies of a message share."""
        return self._chosen.key(message)
