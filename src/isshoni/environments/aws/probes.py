"""The port `Probes` on AWS: by tickets, through the balancer, as on one machine."""

from isshoni.environments.aws.secret import BackendSecret
from isshoni.environments.probes import TicketProbes
from isshoni.rollout.model import Colour, ProbeTally, Release


class SecretProbes:
    """`Probes` with a ticket secret that is fetched when the first of them is sent."""

    def __init__(self, public_url: str, secret: BackendSecret) -> None:
        self._public_url = public_url
        self._secret = secret

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Ask for pages; then, if it understands us, enter, talk and enter again."""
        probes = TicketProbes(self._public_url, self._secret.ticket_secret)
        return await probes.send(colour, release, speaks_isshoni=speaks_isshoni)
