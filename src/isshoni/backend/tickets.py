"""Tickets: who may come to a colour ahead of the balancer's weights."""

from datetime import UTC, datetime, timedelta

import jwt

from isshoni.backend.errors import BadTicket

TICKET_SECONDS = 60
_ALGORITHM = "HS256"


class Tickets:
    """A maker and checker of tickets; both colours share the secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, session_id: str, colour: str) -> str:
        """Sign a ticket for one session and one colour."""
        expires = datetime.now(UTC) + timedelta(seconds=TICKET_SECONDS)
        claims = {"sub": session_id, "aud": colour, "exp": expires}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, ticket: str, session_id: str, colour: str) -> None:
        """Raise `BadTicket` unless the ticket is ours, for this session and colour."""
        try:
            jwt.decode(
                ticket,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=colour,
                subject=session_id,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.PyJWTError as fault:
            raise BadTicket(f"the ticket is not good here: {fault}") from None
