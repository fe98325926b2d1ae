"""Fold the events of a log into the messages that readers see."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from isshoni.session.chat_content import (
    DELETE,
    EDIT,
    REACT,
    REACTIONS,
    REPLY,
    UNREACT,
    About,
    ChatFile,
    read_about,
    read_files,
)
from isshoni.session.from_server import ChatEvent

ACTS = frozenset((REACT, UNREACT, EDIT, DELETE))
"""Kinds of messages that change another one instead of being shown."""


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a message, or of a reaction."""

    client_id: str
    by: str | None = None
    """The user that the author's token named; None for a guest."""
    name: str | None = None
    """The author's name, as that token had it."""

    @property
    def key(self) -> str:
        """Equal for all messages of one author: the user, or else the client_id."""
        return self.client_id if self.by is None else f"{self.by}/"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the conversation shows it now."""

    seq: int
    author: Author
    n: int
    at: int
    text: str
    """Empty if it is deleted or unreadable."""
    edited: bool = False
    deleted: bool = False
    unreadable: bool = False
    reply_to: About | None = None
    """The message that this one answers; `Conversation.find` may have it."""
    reactions: Mapping[str, Sequence[Author]] = field(default_factory=dict)
    """Emoji → who reacted with it, the earliest first."""
    files: tuple[ChatFile, ...] = ()

    @property
    def target(self) -> About:
        """What names this message, for an action of the client about it."""
        return About(REPLY, self.author.client_id, self.n, self.author.by)


class Act(NamedTuple):
    """An event about another message, with the message that it is about."""

    seq: int
    event: ChatEvent
    about: About


class Name(Protocol):
    """What names a message: an `About`, or the message itself."""

    @property
    def client_id(self) -> str:
        """The client that wrote it."""

    @property
    def n(self) -> int:
        """That client's number of it."""


class Conversation:
    """The messages that the events of a log make: edited, deleted, with reactions and replies.

    What it shows depends on the events that it was given, and not on their order: a page of
    older history may come after the acts about its messages. An event that is given twice counts
    once. An act about a message that was not given yet, or that is itself an act, shows nothing.
    Of several messages with the named client_id and n, the one with the lowest seq is meant.
    """

    def __init__(self) -> None:
        self._given: set[int] = set()
        self._order: list[ChatEvent] = []
        self._named: defaultdict[tuple[str, int], list[ChatEvent]] = defaultdict(list)
        """Messages by client_id and n; several if other users wrote under one client_id."""
        self._acts: defaultdict[tuple[str, int], list[Act]] = defaultdict(list)
        self._shown: dict[int, Message] = {}

    def add(self, events: Iterable[ChatEvent]) -> None:
        """Add events of the log, in any order."""
        for event in events:
            if event.seq not in self._given:
                self._given.add(event.seq)
                self._add(event)

    def reset(self) -> None:
        """Forget everything: the log is another one."""
        self.__init__()  # type: ignore[misc]

    @property
    def messages(self) -> list[Message]:
        """The messages, in the order of the log; those that did not change are the same objects."""
        return [self._show(event) for event in self._order]

    def find(self, about: About) -> Message | None:
        """Return the message that `about` names; None if it was not given."""
        target = find_target(self._list_named(about), about)
        return None if target is None else self._show(target)

    def _add(self, event: ChatEvent) -> None:
        about = None if event.unreadable else read_about(event.about)
        if about is not None and about.kind in ACTS:
            insort(self._acts[_name(about)], Act(event.seq, event, about), key=lambda act: act.seq)
        else:
            about = None
            insort(self._order, event, key=_seq)
            if not event.unreadable:
                insort(self._named[_name(event)], event, key=_seq)
        # A message may take the place of a later one of its name: all of that name are shown again.
        for message in self._list_named(about or event):
            self._shown.pop(message.seq, None)

    def _show(self, event: ChatEvent) -> Message:
        if event.seq not in self._shown:
            acts = [] if event.unreadable else self._acts.get(_name(event), [])
            mine = [act for act in acts if self._is_about(act, event)]
            self._shown[event.seq] = show_message(event, mine)
        return self._shown[event.seq]

    def _is_about(self, act: Act, target: ChatEvent) -> bool:
        return find_target(self._list_named(act.about), act.about, act.event) is target

    def _list_named(self, name: Name) -> list[ChatEvent]:
        return self._named.get(_name(name), [])


def find_target(
    named: Iterable[ChatEvent], about: About, act: ChatEvent | None = None
) -> ChatEvent | None:
    """Return the message that `about` means, of those with its client_id and n; None if none.

    An `act` that changes a message means only one of its own author.
    """
    for message in named:
        is_meant = about.by is None or about.by == message.by
        if is_meant and (act is None or may_act(act, about, message)):
            return message
    return None


def may_act(act: ChatEvent, about: About, message: ChatEvent) -> bool:
    """True unless only the message's author may do this, and `act` is another author's."""
    return about.kind in REACTIONS or read_author(act).key == read_author(message).key


def read_author(event: ChatEvent) -> Author:
    """Return the author of an event."""
    return Author(event.client_id, event.by, event.name)


def show_message(event: ChatEvent, acts: Sequence[Act]) -> Message:
    """Return a message after the acts about it, which are in the order of the log."""
    about = None if event.unreadable else read_about(event.about)
    reply_to = about if about is not None and about.kind == REPLY else None
    deleted = any(act.about.kind == DELETE for act in acts)
    is_shown = not (deleted or event.unreadable)
    edits = [act.event.text for act in acts if act.about.kind == EDIT and is_shown]
    return Message(
        seq=event.seq,
        author=read_author(event),
        n=event.n,
        at=event.at,
        text=[event.text, *edits][-1] if is_shown else "",
        edited=bool(edits),
        deleted=deleted,
        unreadable=event.unreadable,
        reply_to=reply_to,
        reactions=collect_reactions(acts) if is_shown else {},
        files=read_files(event.files) if is_shown else (),
    )


def collect_reactions(acts: Iterable[Act]) -> dict[str, list[Author]]:
    """Return who reacts with each emoji after these acts, the earliest first."""
    reactions: dict[str, dict[str, Author]] = {}
    for act in acts:
        author, emoji = read_author(act.event), act.event.text
        if act.about.kind == REACT:
            reactions.setdefault(emoji, {}).setdefault(author.key, author)
        elif act.about.kind == UNREACT:
            reactions.get(emoji, {}).pop(author.key, None)
            if not reactions.get(emoji):
                reactions.pop(emoji, None)
    return {emoji: list(authors.values()) for emoji, authors in reactions.items()}


def _name(name: Name) -> tuple[str, int]:
    return name.client_id, name.n


def _seq(event: ChatEvent) -> int:
    return event.seq
