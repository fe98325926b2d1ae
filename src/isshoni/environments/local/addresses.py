"""The URLs of a local environment's programs."""

from dataclasses import dataclass

from isshoni.environments.local.config import Ports
from isshoni.rollout.model import COLOURS, Colour


@dataclass(frozen=True)
class Addresses:
    """Base URLs, without a path."""

    public: str
    balancer_admin: str
    slots: dict[Colour, str]
    admin: dict[Colour, str]


def find_addresses(host: str, ports: Ports) -> Addresses:
    """Return the URLs for programs that listen on these ports, the balancer on `host`."""
    public_host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    return Addresses(
        public=f"http://{public_host}:{ports.public}",
        balancer_admin=f"http://127.0.0.1:{ports.balancer_admin}",
        slots={c: f"http://127.0.0.1:{getattr(ports, c)}" for c in COLOURS},
        admin={c: f"http://127.0.0.1:{getattr(ports, f'{c}_admin')}" for c in COLOURS},
    )
