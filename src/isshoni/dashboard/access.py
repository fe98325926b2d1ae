"""Check access: actions always need the admin token, reading needs it beyond loopback."""

import hmac
import ipaddress
from dataclasses import dataclass

from fastapi import HTTPException, Request

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Access:
    """The admin token, and whether reading requires it too."""

    token: str
    guards_reading: bool

    def check_acting(self, request: Request) -> None:
        """Raise HTTP 401 unless the request has the token."""
        if not self.has_token(request):
            raise HTTPException(401, "this action requires the admin token")

    def check_reading(self, request: Request) -> None:
        """Raise HTTP 401 unless the request has the token, or reading requires none.

        Without the token only requests to a loopback name are answered: a page of another
        site whose name resolves to this machine (DNS rebinding) sends its own name.
        """
        by_local_name = request.url.hostname in LOCAL_NAMES
        if not self.has_token(request) and (self.guards_reading or not by_local_name):
            raise HTTPException(401, "reading requires the admin token here")

    def has_token(self, request: Request) -> bool:
        """True if the request has the admin token."""
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self.token}".encode())


def is_loopback(host: str) -> bool:
    """True if only this machine can connect to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
