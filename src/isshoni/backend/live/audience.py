"""The connections that one session has in this process, and what is sent to all of them."""

from collections.abc import Callable

from isshoni.backend.live.connection import Connection
from isshoni.backend.live.outgoing import Outgoing
from isshoni.session.close_codes import CloseCode


class Audience:
    """The only owner of a session's connections; they are kept in order of arrival."""

    __slots__ = ("_connections",)

    def __init__(self) -> None:
        self._connections: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: Connection) -> None:
        """Add a new connection; it is sent nothing before it has restored or sent a Yjs frame."""
        self._connections[connection] = None

    def leave(self, connection: Connection) -> None:
        """Remove a connection whose WebSocket has ended."""
        del self._connections[connection]

    def connections(self) -> list[Connection]:
        """Return a copy: connections may come and go while the caller uses it."""
        return list(self._connections)

    def authors(self) -> set[str]:
        """Return the authors of the connections."""
        return {connection.client.author for connection in self._connections}

    def send_chat(self, outgoing: Outgoing) -> None:
        """Send a chat event to every connection that has restored."""
        for connection in self._connections:
            if connection.client.takes_chat:
                connection.send(outgoing)

    def send_canvas(self, outgoing: Outgoing) -> None:
        """Send a Yjs frame to every connection that has sent one."""
        for connection in self._connections:
            if connection.client.takes_canvas:
                connection.send(outgoing)

    def send_elements(self, make: Callable[[], Outgoing]) -> None:
        """Send changed elements to the clients that read the canvas as JSON.

        `make` is called only if there is such a client.
        """
        readers = [
            connection for connection in self._connections if connection.client.takes_elements
        ]
        if readers:
            outgoing = make()
            for connection in readers:
                connection.send(outgoing)

    def close(self, code: CloseCode) -> None:
        """Close every connection."""
        for connection in self.connections():
            connection.close(code)
