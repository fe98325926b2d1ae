"""Session tokens: which user may enter which session, in which role, and until when."""

from dataclasses import dataclass
from typing import Any, Literal, cast

import jwt

from isshoni.backend.errors import BadToken, NotAllowed
from isshoni.session.identifiers import author_key, is_identifier

Role = Literal["read", "write"]
ROLES: tuple[Role, ...] = ("read", "write")
ANY_SESSION = "*"
MIN_SECRET_BYTES = 32
"""The least that HS256 allows (RFC 7518, 3.2)."""
MAX_NAME_CHARACTERS = 80
_ALGORITHM = "HS256"
_CLAIMS = ("sub", "session", "role", "exp")


@dataclass(frozen=True, slots=True)
class Permit:
    """What a connection may do: the claims of its token, or everything for a guest."""

    subject: str | None = None
    """The user; None for a guest."""
    role: Role = "write"
    expires_at: float | None = None
    """Seconds since 1970; None for never."""
    name: str | None = None

    def has_expired(self, now: float) -> bool:
        """True if the permit has ended at `now` (seconds since 1970)."""
        return self.expires_at is not None and now >= self.expires_at

    def author_key(self, client_id: str) -> str:
        """Return the key that a client's messages are stored under."""
        return author_key(self.subject, client_id)


GUEST = Permit()


@dataclass(frozen=True)
class TokenKey:
    """A secret, and the name that tokens call it by (`kid`)."""

    key_id: str
    secret: str


class Tokens:
    """A maker and checker of session tokens: the first key signs, every key verifies."""

    def __init__(self, keys: tuple[TokenKey, ...], *, required: bool = True) -> None:
        self._keys = keys
        self._required = required

    def mint(
        self,
        session: str,
        *,
        subject: str,
        role: Role,
        expires_at: float,
        name: str | None = None,
    ) -> str:
        """Sign a token for one session, or for `*`: all of them."""
        claims = {"sub": subject, "session": session, "role": role, "exp": int(expires_at)}
        if name is not None:
            claims["name"] = name
        key = self._keys[0]
        return jwt.encode(claims, key.secret, _ALGORITHM, headers={"kid": key.key_id})

    def check(self, token: str, session_id: str) -> Permit:
        """Return what a token permits in a session; without a token, what a guest may do.

        Raises `BadToken` if the token is forged or expired, or is missing where one is
        required; `NotAllowed` if it is for another session. Where guests are allowed, a token is
        checked too, unless this process has no key to check it with.
        """
        if not self._required and not (token and self._keys):
            return GUEST
        if not token:
            raise BadToken("a session token is required")
        claims = self._decode(token)
        permit = parse_permit(claims)
        if permit is None:
            raise BadToken("the token's claims are not those of docs/security.md")
        if claims["session"] not in (ANY_SESSION, session_id):
            raise NotAllowed("the token is for another session")
        return permit

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            secret = next((key.secret for key in self._keys if key.key_id == key_id), None)
            if secret is None:
                raise BadToken("the token is signed with a key that is not in use here")
            options: Any = {"require": list(_CLAIMS), "verify_iat": False, "verify_aud": False}
            return jwt.decode(token, secret, algorithms=[_ALGORITHM], options=options)
        except jwt.PyJWTError as fault:
            raise BadToken(f"the token is not valid: {fault}") from None


def parse_permit(claims: dict[str, Any]) -> Permit | None:
    """Return the permit that verified claims describe; None if they describe none."""
    subject, role, name = claims.get("sub"), claims.get("role"), claims.get("name")
    sound = isinstance(subject, str) and is_identifier(subject) and role in ROLES
    if not sound or not (name is None or _is_name(name)):
        return None
    return Permit(subject, cast(Role, role), float(claims["exp"]), name)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARACTERS and name.isprintable()
