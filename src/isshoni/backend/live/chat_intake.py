"""Check the chat messages of one connection, and pass them to its writer."""

from collections.abc import Callable

from isshoni.backend.live.chat_writer import ChatWriter
from isshoni.backend.live.connection import Connection
from isshoni.session.errors import ProtocolError
from isshoni.session.messages import Chat, parse_inbound


class ChatIntake:
    """Handles chat messages: at once if nothing is in the way, else in the turn of the reader."""

    __slots__ = ("_connection", "_refuse", "writer")

    def __init__(self, connection: Connection, refuse: Callable[[ProtocolError], None]) -> None:
        self._connection = connection
        self._refuse = refuse
        self.writer: ChatWriter | None = None
        """None until the connection has restored."""

    async def handle(self, message: Chat) -> None:
        """Check a message and append it, once there is room; raises `ProtocolError`."""
        writer = self.writer
        if writer is None:
            raise ProtocolError("not_restored", "send restore_session first", n=message.n)
        self._check(writer, message.n)
        if not writer.has_room:
            await writer.wait_for_room()
        writer.write(message)

    def _check(self, writer: ChatWriter, n: int) -> None:
        """Raise `ProtocolError` unless the client may write a message, so soon after the last."""
        try:
            self._connection.check_may_write(n)
            self._connection.guard.count_chat(n)
        except ProtocolError:
            writer.record_refused(n)
            raise

    def handle_at_once(self, text: str) -> bool:
        """Handle a text frame if it is a chat message that need not wait; False if it was not.

        It is called while the reader waits for a frame: to wake it up for each costs more than the
        message does. Nothing is raised.
        """
        writer, connection = self.writer, self._connection
        if writer is None or connection.is_finishing or connection.is_closing:
            return False
        if not writer.has_room:
            return False
        try:
            message = parse_inbound(text)
        except ProtocolError:
            return False  # the reader refuses it
        if not isinstance(message, Chat):
            return False
        try:
            self._check(writer, message.n)
            writer.write(message)
        except ProtocolError as fault:
            self._refuse(fault)
        except Exception as fault:
            connection.fail(fault)
        return True
