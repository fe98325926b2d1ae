"""The Python client: keeps its session through deploys, crashes and lost networks."""

from isshoni.client.chat_actions import ChatActions
from isshoni.client.client import SessionClient
from isshoni.client.errors import (
    InvalidElement,
    InvalidExtras,
    InvalidIdentifier,
    InvalidText,
    SessionLeft,
)
from isshoni.client.history_requests import OlderMessages
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.client.settings import ClientSettings
from isshoni.session.backoff import BackoffPolicy
from isshoni.session.chat_content import About, ChatFile
from isshoni.session.conversation import Author, Conversation, Message
from isshoni.session.from_server import ChatEvent
from isshoni.session.outbox_state import OutboxState
from isshoni.session.timeline import Hole

__all__ = [
    "About",
    "Author",
    "BackoffPolicy",
    "ChatActions",
    "ChatEvent",
    "ChatFile",
    "ClientListener",
    "ClientSettings",
    "ConnectionChange",
    "ConnectionState",
    "Conversation",
    "Hole",
    "InvalidElement",
    "InvalidExtras",
    "InvalidIdentifier",
    "InvalidText",
    "Message",
    "OlderMessages",
    "OutboxState",
    "SessionClient",
    "SessionLeft",
]
