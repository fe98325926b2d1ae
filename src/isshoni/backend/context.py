"""What all parts of one backend process share."""

from dataclasses import dataclass, field
from functools import cached_property

from isshoni.backend.metrics.counters import Counters, Gauges, Histograms
from isshoni.backend.region.region import Region
from isshoni.backend.security.auth import Tokens
from isshoni.backend.security.tickets import Tickets
from isshoni.backend.settings.settings import BackendSettings
from isshoni.backend.store.ports import SessionStore
from isshoni.session.messages import ServerIdentity
from isshoni.session.recovery import LogMac


@dataclass(frozen=True)
class BackendContext:
    """Settings, store and counters of this process."""

    settings: BackendSettings
    store: SessionStore
    counters: Counters = field(default_factory=Counters)
    gauges: Gauges = field(default_factory=Gauges)
    histograms: Histograms = field(default_factory=Histograms)
    region: Region | None = None
    """None: the platform has no regions."""

    @property
    def tickets(self) -> Tickets:
        """The tickets of this deployment."""
        return Tickets(self.settings.ticket_secret)

    @cached_property
    def macs(self) -> LogMac:
        """The mark of this deployment on chat events."""
        return LogMac(self.settings.log_secret or self.settings.ticket_secret)

    @property
    def tokens(self) -> Tokens:
        """The session tokens of this deployment."""
        return Tokens(self.settings.token_keys, required=self.settings.auth_required)

    @property
    def identity(self) -> ServerIdentity:
        """What clients are sent about this process."""
        settings = self.settings
        return ServerIdentity(settings.version, settings.colour, settings.heartbeat_seconds)
