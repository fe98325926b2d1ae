"""The port `Probes` on AWS: by tickets, through the balancer, as on one machine."""

import contextlib
import time

from isshoni.environments.aws.secret import BackendSecret
from isshoni.environments.probes import TicketProbes
from isshoni.rollout.model import Colour, ProbeTally, Release

_TIMEOUT_SECONDS = 3.0
_TOKEN_SECONDS = 60.0


class SecretProbes:
    """`Probes` with a ticket secret that is fetched when the first of them is sent."""

    def __init__(self, public_url: str, secret: BackendSecret) -> None:
        self._public_url = public_url
        self._secret = secret

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Ask for pages; then, if it understands us, enter, talk and enter again."""
        probes = TicketProbes(self._public_url, self._secret.ticket_secret, self._delete)
        return await probes.send(colour, release, speaks_isshoni=speaks_isshoni)

    async def _delete(self, session_id: str) -> None:
        """Have the platform delete a session of probes: Redis is out of our reach here.

        One that cannot be deleted is left to be forgotten with its age.
        """
        import httpx  # slow to load, and only who deploys needs it

        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                url = f"{self._public_url}/sessions/{session_id}"
                await client.delete(url, headers=self._sign_in(session_id))

    def _sign_in(self, session_id: str) -> dict[str, str]:
        from isshoni.backend.auth import Tokens
        from isshoni.backend.settings import read_token_keys

        if not self._secret.token_keys:  # anybody may
            return {}
        tokens = Tokens(read_token_keys(self._secret.token_keys))
        expires_at = time.time() + _TOKEN_SECONDS
        token = tokens.mint(session_id, subject="probe", role="write", expires_at=expires_at)
        return {"Authorization": f"Bearer {token}"}
