"""The port `Probes`, for environments whose balancer routes by `?target=`."""

from isshoni.rollout.model import Colour, ProbeTally, Release


class TicketProbes:
    """Sends probes to one slot with tickets: `?target=` bypasses the weights."""

    def __init__(self, public_url: str, ticket_secret: str) -> None:
        self._public_url = public_url
        self._ticket_secret = ticket_secret

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Request pages; of an Isshoni release, also join a session and send messages."""
        # Slow to import, and only a deploy needs it.
        from isshoni.environments.probe_round import ProbeRound

        probes = ProbeRound(self._public_url, self._ticket_secret)
        return await probes.send(colour, release, speaks_isshoni=speaks_isshoni)
