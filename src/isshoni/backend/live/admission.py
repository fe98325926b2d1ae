"""Admit or refuse new connections by session id, ticket and token."""

import time
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import parse_qs

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import BadTicket, BadToken, NotAllowed
from isshoni.backend.security.auth import Permit
from isshoni.backend.security.tickets import SpentTickets
from isshoni.session.close_codes import CloseCode
from isshoni.session.identifiers import is_identifier

GUEST_STAY_SECONDS = 3600.0
"""Seconds that guests may stay who move here from a version that needed no token."""
_BEARER = b"bearer "

Headers = Iterable[tuple[bytes, bytes]]


class Refused(Exception):
    """A connection that is not let in: the close code says what to do, `reason` why."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Admission:
    """Checks of a new connection that do not depend on other connections."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._spent = SpentTickets()

    def admit(self, session_id: str, query: bytes, headers: Headers) -> tuple[Permit, bool]:
        """Return what a new connection may do, and True if an unused ticket moves it here.

        Raises `Refused`. With a ticket no token is needed: the other colour admitted it.
        """
        if not is_identifier(session_id):
            raise Refused(
                CloseCode.BAD_SESSION_ID,
                "the session id is invalid: use 1 to 64 letters, digits, - or _",
            )
        asked = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
        try:
            if "ticket" in asked:
                return self._check_ticket(asked["ticket"][0], session_id)
            token = _bearer_token(headers) or asked.get("token", [""])[0]
            return self._context.tokens.check(token, session_id), False
        except (BadTicket, BadToken) as fault:
            raise Refused(CloseCode.UNAUTHENTICATED, str(fault)) from None
        except NotAllowed as fault:
            raise Refused(CloseCode.NOT_ALLOWED, str(fault)) from None

    def _check_ticket(self, text: str, session_id: str) -> tuple[Permit, bool]:
        now = time.time()
        settings = self._context.settings
        names = filter(None, (settings.colour, settings.process, settings.region))
        ticket = self._context.tickets.check(text, session_id, *names)
        permit = ticket.permit
        if settings.auth_required and permit.subject is None:
            # It was admitted before tokens were needed; a refusal would disconnect its user.
            permit = replace(permit, expires_at=now + GUEST_STAY_SECONDS)
        return permit, self._spent.spend(ticket, now)


def _bearer_token(headers: Headers) -> str:
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip().decode("latin-1")
    return ""
