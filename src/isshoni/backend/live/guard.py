"""Check what one connection may do, and how fast: its permit and its limits."""

import math
import time

from isshoni.backend.context import BackendContext
from isshoni.backend.errors import BadToken, NotAllowed
from isshoni.backend.security.auth import Permit
from isshoni.backend.settings.limits import Limits, TextMeter
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import MESSAGES_AFTER_PAUSE, GrantedPermit
from isshoni.session.server.token_bucket import TokenBucket

RESTORE_COST = 5.0
"""A restore counts as this many requests: its answer can take megabytes."""


class Guard:
    """Checks the rights and rates of one connection; raises `ProtocolError`."""

    __slots__ = ("_context", "_meter", "_session_id", "is_lenient", "permit")

    def __init__(self, context: BackendContext, session_id: str, permit: Permit) -> None:
        self.permit = permit
        self.is_lenient = False
        """True while the connection finishes: then no frame is refused for its rate."""
        self._context = context
        self._session_id = session_id
        self._meter: TextMeter | None = None

    @property
    def limits(self) -> Limits:
        """The limits of this process."""
        return self._context.settings.limits

    def has_expired(self, now: float) -> bool:
        """True if the permit has ended at `now` (seconds since 1970)."""
        return self.permit.has_expired(now)

    def may_write(self) -> bool:
        """True if the permit is valid and allows writing."""
        permit = self.permit
        if permit.expires_at is not None and permit.has_expired(time.time()):
            return False
        return permit.role == "write"

    def check_may_write(self, n: int | None = None) -> None:
        """Raise `ProtocolError` unless the permit is valid and allows writing."""
        if not self.may_write():
            self._context.counters.read_only += 1
            raise ProtocolError("read_only", "the token permits no writing, or has expired", n=n)

    def renew(self, token: str) -> GrantedPermit:
        """Replace the permit by that of a fresh token of the same user; raise `ProtocolError`."""
        try:
            permit = self._context.tokens.check(token, self._session_id)
        except (BadToken, NotAllowed) as fault:
            raise ProtocolError("bad_token", str(fault)) from None
        if permit.subject != self.permit.subject:
            raise ProtocolError("bad_token", "it is for another user: open another connection")
        self.permit = permit
        return self.grant()

    def grant(self) -> GrantedPermit:
        """Return the permit in the form that clients are sent."""
        permit, expires_in_ms = self.permit, None
        if permit.expires_at is not None:
            expires_in_ms = max(0, round((permit.expires_at - time.time()) * 1000))
        return GrantedPermit(permit.subject, permit.role, expires_in_ms, permit.name)

    def count_chat(self, n: int) -> None:
        """Count a chat message against its rate."""
        meter = self._meter or self._text_meter()
        if meter.chat.take(time.monotonic()):
            self._count(meter.chat, n=n)  # which refuses it, unless it fits in by now

    def count_request(self, *, costly: bool) -> None:
        """Count another text frame against its rate."""
        self._count(self._text_meter().requests, RESTORE_COST if costly else 1.0)

    def count_refusal(self) -> bool:
        """Count a refusal; True if the client has ignored too many of them."""
        counters = self._context.counters
        counters.rate_limited += 1
        too_many = self._text_meter().refusals.take(time.monotonic()) > 0
        counters.closed_too_fast += too_many
        return too_many

    def _count(self, bucket: TokenBucket, cost: float = 1.0, *, n: int | None = None) -> None:
        now = time.monotonic()
        if bucket.take(now, cost) and not self.is_lenient:
            retry_after_ms = math.ceil(bucket.wait_for(now, MESSAGES_AFTER_PAUSE) * 1000)
            raise ProtocolError(
                "rate_limited",
                f"too fast: send it again in {retry_after_ms} ms",
                n=n,
                retry_after_ms=retry_after_ms,
            )

    def _text_meter(self) -> TextMeter:
        if self._meter is None:
            self._meter = TextMeter(self.limits)
        return self._meter
