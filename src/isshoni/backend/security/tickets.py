"""Tickets: they let a client that moves into the other colour, whatever the weights are."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from isshoni.backend.errors import BadTicket
from isshoni.backend.security.auth import GUEST, Permit, parse_permit

TICKET_SECONDS = 60
_ALGORITHM = "HS256"
_PERMIT = "permit"


@dataclass(frozen=True)
class Ticket:
    """The content of a ticket that is valid here."""

    permit: Permit
    expires_at: float
    """In seconds since 1970."""
    number: str | None = None
    """The ticket's number; None if an earlier version made it, without a number."""


class SpentTickets:
    """Remembers tickets that have let a connection past the limits of this process."""

    def __init__(self) -> None:
        self._expiry_by_number: dict[str, float] = {}

    def spend(self, ticket: Ticket, now: float) -> bool:
        """Record a ticket; True if it is used for the first time, or has no number."""
        if ticket.number is None:
            return True
        expiries = self._expiry_by_number
        # In order of age: expired tickets need not be remembered.
        while expiries and (oldest := next(iter(expiries))) and expiries[oldest] < now:
            del expiries[oldest]
        if ticket.number in expiries:
            return False
        expiries[ticket.number] = ticket.expires_at
        return True


class Tickets:
    """A maker and checker of tickets; both colours share the secret.

    A ticket carries the permit that the client had on the old colour. So a move needs no token:
    it fails neither when the token expires nor when the keys change during the move.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, session_id: str, to: str, permit: Permit = GUEST) -> str:
        """Sign a ticket for one session, and one colour or process."""
        expires = datetime.now(UTC) + timedelta(seconds=TICKET_SECONDS)
        claims: dict[str, Any] = {"sub": session_id, "aud": to, "exp": expires}
        claims["jti"] = secrets.token_hex(8)
        if permit.subject is not None:
            claims[_PERMIT] = {"sub": permit.subject, "role": permit.role, "name": permit.name}
            claims[_PERMIT]["exp"] = permit.expires_at
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, ticket: str, session_id: str, *names: str) -> Ticket:
        """Return the content of a ticket; one from a version without tokens is a guest's.

        Raises `BadTicket` unless the ticket is ours, for this session and one of `names`: the
        colour and the process that it may admit to.
        """
        try:
            claims = jwt.decode(
                ticket,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=names,
                subject=session_id,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.PyJWTError as fault:
            raise BadTicket(f"the ticket is not valid here: {fault}") from None
        carried = claims.get(_PERMIT)
        permit = GUEST if carried is None else parse_permit(carried)
        if permit is None:
            raise BadTicket("the permit in the ticket is not valid")
        return Ticket(permit, claims["exp"], claims.get("jti"))
