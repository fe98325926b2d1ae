"""What a chat message may carry beside its text: what it is about, and files of the session."""

from typing import Annotated, Any, Protocol

import msgspec

from isshoni.session.identifiers import Counter, Identifier, Natural

MAX_FILES = 8
"""The most files that one message may name."""
MAX_FILE_NAME_CHARACTERS = 255
MAX_FILE_TYPE_CHARACTERS = 127
MAX_EMOJI_CHARACTERS = 32
"""The longest text of a reaction."""
CHAT_FEATURES = ("reply", "react", "edit", "delete", "files")
"""What `session_restored` says that this server takes."""
DELETED_TEXT = "(deleted)"
"""The text of a deletion, for a client that does not know deletions."""

REPLY, REACT, UNREACT, EDIT, DELETE = "reply", "react", "unreact", "edit", "delete"
REACTIONS = frozenset((REACT, UNREACT))

Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,16}\Z")]
"""Kinds of a later version are kept: readers that do not know one show the text."""
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_FILE_NAME_CHARACTERS)]
FileType = Annotated[str, msgspec.Meta(max_length=MAX_FILE_TYPE_CHARACTERS)]


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """The message that another one answers, changes or reacts to."""

    kind: Kind
    client_id: Identifier
    n: Counter
    """With `client_id` the idempotency key of that message; its seq may change after a failover."""
    by: Subject | None = None
    """The user who wrote that message, if it has one: others can use its client_id."""


class ChatFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of the session that a message names."""

    id: Identifier
    name: FileName
    type: FileType = ""
    bytes: Natural = 0


Files = Annotated[tuple[ChatFile, ...], msgspec.Meta(max_length=MAX_FILES)]


class HasContent(Protocol):
    """A message of an outbox, or an event of the log."""

    @property
    def text(self) -> str:
        """The text."""

    @property
    def about(self) -> Any:
        """An `About`, or its JSON."""

    @property
    def files(self) -> Any:
        """`Files`, or their JSON."""


def read_about(raw: object) -> About | None:
    """Return the `about` of an event; None if it has none that this version understands.

    A log may have fields that a later version wrote in another form: such an event is read
    as a plain message.
    """
    try:
        return None if raw is None else msgspec.convert(raw, About, from_attributes=True)
    except msgspec.ValidationError:
        return None


def read_files(raw: object) -> tuple[ChatFile, ...]:
    """Return the `files` of an event; none if this version does not understand them."""
    try:
        return () if raw is None else msgspec.convert(raw, Files, from_attributes=True)
    except msgspec.ValidationError:
        return ()


def is_same_content(ours: HasContent, logged: HasContent) -> bool:
    """True if the log's message can be ours, to judge by its content.

    A server of a version before `about` and `files` writes the text alone: a message without
    them can be ours. Fields that servers add later do not count.
    """
    if ours.text != logged.text:
        return False
    about, files = read_about(logged.about), read_files(logged.files)
    if about is None and not files:
        return True
    wanted = read_about(ours.about)
    return about == wanted and _list_ids(files) == _list_ids(read_files(ours.files))


def _list_ids(files: tuple[ChatFile, ...]) -> list[str]:
    return [file.id for file in files]
