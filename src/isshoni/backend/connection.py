"""One connection: what it says, what it is told, how it ends."""

import asyncio
import logging
import time
from typing import Any

import msgspec
from starlette.types import Receive, Send

from isshoni.backend.canvas import check_update_fairly
from isshoni.backend.chat_order import ChatOrder
from isshoni.backend.context import BackendContext
from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.in_flight import InFlight
from isshoni.backend.live_session import History, LiveSession
from isshoni.backend.log import log_event
from isshoni.backend.outgoing import Outgoing
from isshoni.backend.ports import Appended, Duplicate, Gap
from isshoni.backend.send_queue import SendQueue
from isshoni.session.close_codes import CloseCode
from isshoni.session.errors import ProtocolError
from isshoni.session.identifiers import new_client_id
from isshoni.session.messages import (
    Ack,
    Chat,
    ChatEnvelope,
    ErrorMessage,
    Migrate,
    Outbound,
    Ping,
    RestoreSession,
    Saved,
    SessionRestored,
    encode,
    encode_envelope,
    encode_pong,
    parse_inbound,
)
