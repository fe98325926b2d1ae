"""Errors that the client raises."""

from isshoni.errors import IsshoniError
from isshoni.session.identifiers import is_identifier
from isshoni.session.messages import MAX_TEXT_CHARACTERS


class InvalidIdentifier(IsshoniError):
    """A session or client id that no server accepts."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(f"{field} {value!r:.80} must be 1 to 64 of: A-Z a-z 0-9 _ -")
        self.field = field
        self.value = value


def check_identifiers(**ids: str) -> None:
    """Raise `InvalidIdentifier` for the first id, by its name, that no server accepts."""
    for field, value in ids.items():
        if not is_identifier(value):
            raise InvalidIdentifier(field, value)


class InvalidText(IsshoniError):
    """A chat text that no server accepts; it was not put in the outbox."""

    def __init__(self, characters: int) -> None:
        super().__init__(
            f"a message of {characters} characters: it must be Unicode text "
            f"of 1 to {MAX_TEXT_CHARACTERS}"
        )
        self.characters = characters


class InvalidExtras(IsshoniError):
    """An `about` or files that no server accepts; the message was not put in the outbox."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a message cannot carry this: {reason:.200}")
        self.reason = reason


class SessionLeft(IsshoniError):
    """The client was closed before the server answered."""

    def __init__(self) -> None:
        super().__init__("the session was left before the server answered")


class TokenUnavailable(IsshoniError):
    """The callable for fresh session tokens failed."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(
            f"no session token: the callable raised {type(fault).__name__}: {fault!s:.200}"
        )


class InvalidElement(IsshoniError):
    """A canvas element that is not plain JSON; nothing was drawn."""

    def __init__(self, element_id: str, reason: str) -> None:
        super().__init__(f"element {element_id!r:.80} must be plain JSON: {reason:.200}")
        self.element_id = element_id
