"""The port `Probes`, for every environment whose balancer knows tickets."""

from isshoni.rollout.model import Colour, ProbeTally, Release


class TicketProbes:
    """`Probes` by tickets: `?target=` is a route past the weights, as in a move."""

    def __init__(self, public_url: str, ticket_secret: str) -> None:
        self._public_url = public_url
        self._ticket_secret = ticket_secret

    async def send(self, colour: Colour, release: Release, *, speaks_isshoni: bool) -> ProbeTally:
        """Ask for pages; then, if it understands us, enter, talk and enter again."""
        # Only who deploys needs a client; everybody else would wait until it is loaded.
        from isshoni.environments.probe_round import ProbeRound

        probes = ProbeRound(self._public_url, self._ticket_secret)
        return await probes.send(colour, release, speaks_isshoni=speaks_isshoni)
