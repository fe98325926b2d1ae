"""Check HTTP requests on a session, by the same rules as its WebSockets."""

import json
import math
import time

from starlette.requests import Request
from starlette.responses import Response

from isshoni.backend.context import BackendContext
from isshoni.backend.live.admission import Admission, Refused
from isshoni.backend.log import log_event
from isshoni.backend.security.addresses import client_address
from isshoni.backend.security.origins import origin_fault
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.token_bucket import TokenBucket

_MAX_ADDRESSES = 10_000
_STATUS = {
    CloseCode.BAD_SESSION_ID: (404, "no_such_session"),
    CloseCode.UNAUTHENTICATED: (401, "unauthenticated"),
    CloseCode.NOT_ALLOWED: (403, "not_allowed"),
}


class HttpRefusal(Exception):
    """A refused request: its HTTP status, and its code as in docs/protocol.md."""

    def __init__(self, status: int, code: str, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def make_response(self) -> Response:
        """Return the refusal as a JSON response."""
        content = json.dumps({"code": self.code, "message": self.reason})
        return Response(content, self.status, self.headers, "application/json")


class HttpDoor:
    """Checks requests: origin, rate, token, and the right to write."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._admission = Admission(context)
        self._buckets: dict[str, TokenBucket] = {}

    def admit(self, request: Request, session_id: str, *, writes: bool = False) -> str | None:
        """Return the address that a request is counted under; raises `HttpRefusal`."""
        settings, counters = self._context.settings, self._context.counters
        headers = request.headers.raw
        behind_proxies = settings.trusted_proxies > 0
        fault = origin_fault(
            headers,
            settings.origins,
            behind_proxies=behind_proxies,
            regions=settings.region_alternatives,
        )
        if fault is not None:
            counters.refused_origin += 1
            log_event("refused_origin", session=session_id, at="http", reason=fault)
            raise HttpRefusal(403, "foreign_origin", fault)
        peer = request.client.host if request.client else None
        address = client_address(peer, headers, settings.trusted_proxies)
        self._check_rate(address)
        try:
            query = request.scope["query_string"]
            permit, _ = self._admission.admit(session_id, query, headers)
        except Refused as refusal:
            counters.count_refusal(refusal.code)
            status, code = _STATUS[refusal.code]
            raise HttpRefusal(status, code, refusal.reason) from None
        if writes and permit.role != "write":
            counters.read_only += 1
            raise HttpRefusal(403, "read_only", "the token permits no writing")
        return address

    def _check_rate(self, address: str | None) -> None:
        if address is None:
            return
        now = time.monotonic()
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= _MAX_ADDRESSES:
                self._buckets.clear()
            bucket = self._buckets[address] = TokenBucket(self._context.settings.limits.http)
        if wait := bucket.take(now):
            self._context.counters.rate_limited += 1
            seconds = str(math.ceil(wait))
            raise HttpRefusal(429, "rate_limited", f"ask in {seconds} s", Retry_After=seconds)
