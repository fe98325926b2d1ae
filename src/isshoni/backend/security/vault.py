"""Content at rest: sealed before it reaches Redis, opened when it comes back (spec A6)."""

from collections.abc import Sequence
from hashlib import blake2b

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from isshoni.backend.errors import BadKeys, Unreadable

HEADER = b"\xff\xff\xff\xffI"
"""The first bytes of stored content unless it is plain; the next byte is its format.

No plain content begins so: an envelope is JSON, and a Yjs update with these bytes would name
19 thousand million clients.
"""
_FERNET = 2
_SEALED = HEADER + bytes([_FERNET])
PLAIN = "none"
"""In place of a first key: write plain, and read what other keys have sealed."""
_KEY_CHARACTERS = 44
_MAX_KEPT = 1024
_MAX_KEPT_BYTES = 16 * 1024


class Vault:
    """The keys of a deployment: the first seals, all open.

    Without a key, or with `none` in the first place, content is written as it is. Sealed content
    is remembered until it is first opened: the process that writes an entry receives its
    publication at once, and need not decrypt it.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """`keys` are Fernet keys; raises `BadKeys`."""
        self._writes_plain = not keys or keys[0] == PLAIN
        names = list(keys[1:] if keys and self._writes_plain else keys)
        try:
            fernets = [Fernet(key) for key in names]
        except (ValueError, TypeError):
            raise BadKeys from None
        if any(len(key) != _KEY_CHARACTERS for key in names):
            raise BadKeys  # Fernet overlooks what follows a key
        self._first = None if self._writes_plain else fernets[0]
        self._all = MultiFernet(fernets) if fernets else None
        self._kept: dict[bytes, bytes] = {}
        self.reads = ("seal:none", *(_name_key(key) for key in names))
        """The seals that can be opened here, by name."""
        self.writes = "seal:none" if self._writes_plain else _name_key(names[0])

    @classmethod
    def parse(cls, text: str) -> "Vault":
        """Make a vault of `SESSION_ENCRYPTION_KEY`: keys with commas between them."""
        return cls([key.strip() for key in text.split(",")] if text.strip() else [])

    @property
    def seals(self) -> bool:
        """True if new content is sealed."""
        return self._first is not None

    def seal(self, content: bytes) -> bytes:
        """Return content in the form that is stored."""
        if self._first is None:
            return content
        sealed = _SEALED + self._first.encrypt(content)
        if len(content) <= _MAX_KEPT_BYTES:
            while len(self._kept) >= _MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[sealed] = content
        return sealed

    def open(self, stored: bytes) -> bytes:
        """Return the content of stored bytes; raises `Unreadable`."""
        if not stored.startswith(HEADER):
            return stored
        kept = self._kept.pop(stored, None)
        if kept is not None:
            return kept
        if not stored.startswith(_SEALED):
            form = stored[len(HEADER) : len(HEADER) + 1].hex() or "nothing"
            raise Unreadable(f"its format is {form}, and this version reads none and 02")
        if self._all is None:
            raise Unreadable("it is encrypted, and there is no SESSION_ENCRYPTION_KEY here")
        try:
            return self._all.decrypt(stored[len(_SEALED) :])
        except InvalidToken:
            raise Unreadable("no key in SESSION_ENCRYPTION_KEY opens it") from None

    def is_current(self, stored: bytes) -> bool:
        """True if content is stored as this vault would store it now."""
        if self._first is None or not stored.startswith(_SEALED):
            return self._first is None and not stored.startswith(HEADER)
        try:
            self._first.decrypt(stored[len(_SEALED) :])
        except InvalidToken:
            return False
        return True


def _name_key(key: str) -> str:
    """Name a key so that two processes can tell whether they share it."""
    return "seal:fernet-" + blake2b(key.encode(), digest_size=4, person=b"isshoni-key").hexdigest()
