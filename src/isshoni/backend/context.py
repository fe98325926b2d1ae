"""What everything in one backend process shares."""

from dataclasses import dataclass, field

from isshoni.backend.counters import Counters, Gauges, Histograms
from isshoni.backend.ports import SessionStore
from isshoni.backend.settings import BackendSettings
from isshoni.backend.tickets import Tickets
from isshoni.session.messages import ServerIdentity


@dataclass(frozen=True)
class BackendContext:
    """Settings, store and counters of this process."""

    settings: BackendSettings
    store: SessionStore
    counters: Counters = field(default_factory=Counters)
    gauges: Gauges = field(default_factory=Gauges)
    histograms: Histograms = field(default_factory=Histograms)

    @property
    def tickets(self) -> Tickets:
        """The tickets of this deployment."""
        return Tickets(self.settings.ticket_secret)

    @property
    def identity(self) -> ServerIdentity:
        """What clients are told of this process."""
        settings = self.settings
        return ServerIdentity(settings.version, settings.colour, settings.heartbeat_seconds)
