"""Who may do what: acting always takes the token; reading, anywhere but on loopback."""

import hmac
import ipaddress
from dataclasses import dataclass

from fastapi import HTTPException, Request

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Access:
    """The admin token, and whether reading takes it too."""

    token: str
    guards_reading: bool

    def check_acting(self, request: Request) -> None:
        """Raise 401 without the token."""
        if not self._has_token(request):
            raise HTTPException(401, "this takes the admin token")

    def check_reading(self, request: Request) -> None:
        """Raise 401 unless reading is open, or the token is there.

        Open is what comes by a loopback name only: a page of another site that points
        its own name at this machine (DNS rebinding) says that name.
        """
        by_local_name = request.url.hostname in LOCAL_NAMES
        if not self._has_token(request) and (self.guards_reading or not by_local_name):
            raise HTTPException(401, "reading takes the admin token here")

    def _has_token(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self.token}".encode())


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
