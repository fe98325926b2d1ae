"""What a user does in the chat: send, reply, react, edit, delete."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from isshoni.client.errors import InvalidExtras, InvalidText
from isshoni.client.history_requests import HistoryRequests, OlderMessages
from isshoni.session.chat_content import (
    DELETE,
    DELETED_TEXT,
    EDIT,
    MAX_EMOJI_CHARACTERS,
    REACT,
    REACTIONS,
    REPLY,
    UNREACT,
    About,
    ChatFile,
    Files,
)
from isshoni.session.messages import MAX_TEXT_CHARACTERS, Chat

Value = TypeVar("Value")
SendChat = Callable[[str, About | None, Files], Chat]


class Target(Protocol):
    """A message of the log: an event."""

    @property
    def client_id(self) -> str:
        """The client that wrote it."""

    @property
    def n(self) -> int:
        """That client's number of it."""

    @property
    def by(self) -> str | None:
        """The user that its author's token named; None for a guest."""


class ChatActions:
    """Sends messages, now or once connected; each returns its n, which may still change.

    A server that lacks a feature shows all of them as plain text: offer what `features` names.
    Only the author of a message can edit or delete it; all readers ignore another's attempt.
    """

    def __init__(self, send: SendChat, history: HistoryRequests) -> None:
        self.features: tuple[str, ...] = ()
        """What this server takes, such as `reply`; empty before the first restore."""
        self._send = send
        self._history = history

    def send(self, text: str, *, about: About | None = None, files: Sequence[ChatFile] = ()) -> int:
        """Send a message, perhaps about another one, perhaps with files of the session.

        Raises `InvalidText` or `InvalidExtras` for what no server accepts.
        """
        has_lone_surrogates = text.encode(errors="ignore").decode() != text
        if not 1 <= len(text) <= MAX_TEXT_CHARACTERS or has_lone_surrogates:
            raise InvalidText(len(text))
        if about is not None and about.kind in REACTIONS and len(text) > MAX_EMOJI_CHARACTERS:
            raise InvalidExtras(f"a reaction has at most {MAX_EMOJI_CHARACTERS} characters")
        return self._send(text, _check(about, About | None), _check(tuple(files), Files)).n

    async def history(self, before: int, limit: int = 100) -> OlderMessages:
        """Return the last `limit` (1 to 200) messages before a seq, now or once connected.

        Raises `SessionLeft` if the client is closed before that.
        """
        try:
            return await self._history.ask(before, limit)
        except msgspec.ValidationError as fault:
            raise InvalidExtras(str(fault)) from None

    def reply(self, target: Target, text: str, files: Sequence[ChatFile] = ()) -> int:
        """Answer a message of the log."""
        return self.send(text, about=about_message(REPLY, target), files=files)

    def react(self, target: Target, emoji: str) -> int:
        """React to a message of the log; a second time is as once."""
        return self.send(emoji, about=about_message(REACT, target))

    def unreact(self, target: Target, emoji: str) -> int:
        """Remove one's own reaction."""
        return self.send(emoji, about=about_message(UNREACT, target))

    def edit(self, target: Target, text: str) -> int:
        """Replace the text of one's own message."""
        return self.send(text, about=about_message(EDIT, target))

    def delete(self, target: Target) -> int:
        """Delete one's own message."""
        return self.send(DELETED_TEXT, about=about_message(DELETE, target))


def about_message(kind: str, target: Target) -> About:
    """Return the field `about` of a message about another one."""
    return About(kind, target.client_id, target.n, target.by)


def _check(value: Value, kind: object) -> Value:
    """Return `value` if the server takes it as this type; raise `InvalidExtras` if not."""
    try:
        checked: Value = msgspec.convert(msgspec.to_builtins(value), kind)
    except msgspec.ValidationError as fault:
        raise InvalidExtras(str(fault)) from None
    return checked
