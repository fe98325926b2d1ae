"""The Python client: keeps its session through deploys, crashes and lost networks."""

from isshoni.client.client import SessionClient
from isshoni.client.errors import InvalidElement, InvalidIdentifier, InvalidText
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.client.settings import ClientSettings
from isshoni.session.backoff import BackoffPolicy
from isshoni.session.from_server import ChatEvent
from isshoni.session.outbox import OutboxState
from isshoni.session.timeline import Hole

__all__ = [
    "BackoffPolicy",
    "ChatEvent",
    "ClientListener",
    "ClientSettings",
    "ConnectionChange",
    "ConnectionState",
    "Hole",
    "InvalidElement",
    "InvalidIdentifier",
    "InvalidText",
    "OutboxState",
    "SessionClient",
]
