"""The port `Probes` on AWS: with tickets, through the balancer."""

from isshoni.environments.aws.secret import BackendSecret
from isshoni.environments.probes import TicketProbes
from isshoni.rollout.model import Colour, ProbeTally, Release


class SecretProbes:
    """Sends probes; the secret that signs their tickets is read before the first."""

    def __init__(self, public_url: str, secret: BackendSecret) -> None:
        self._public_url = public_url
        self._secret = secret

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Request pages; of an Isshoni release, also join a session and send messages."""
        probes = TicketProbes(self._public_url, self._secret.ticket_secret)
        return await probes.send(colour, release, speaks_isshoni=speaks_isshoni)
