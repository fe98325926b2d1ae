"""Send frames to the connections that one session has in this process."""

from collections.abc import Callable

from isshoni.backend.live.connection import Connection
from isshoni.backend.live.outgoing import Batch, JointFrame, Outgoing
from isshoni.backend.live.turn import Turn
from isshoni.session.close_codes import CloseCode

_SPARE_GENERATIONS = 64


class Audience:
    """A session's connections, in order of arrival; nothing else keeps them."""

    __slots__ = (
        "_canvas_batch",
        "_chat_batch",
        "_connections",
        "_end_batches",
        "_generations",
        "_turn",
    )

    def __init__(self) -> None:
        self._connections: dict[Connection, None] = {}
        self._chat_batch: Batch | None = None
        """The chat events of this turn of the event loop, queued at every connection."""
        self._canvas_batch: Batch | None = None
        self._end_batches = self.end_batches  # one bound method for all connections
        self._generations: dict[str, int] = {}
        self._turn: Turn | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: Connection) -> None:
        """Add a new connection; it is sent no frame before it restores or sends a Yjs frame."""
        self._connections[connection] = None
        connection.on_client_change = self._end_batches
        self.end_batches()

    def leave(self, connection: Connection) -> None:
        """Remove a connection whose WebSocket has ended."""
        del self._connections[connection]

    def connections(self) -> list[Connection]:
        """Return a copy: connections may come and go while the caller uses it."""
        return list(self._connections)

    # Which of a client's connections is the newest

    def record_generation(self, author: str, generation: int) -> None:
        """Remember the generation of a client's connection if it is its newest."""
        self._generations[author] = max(generation, self.newest_generation(author))
        if len(self._generations) > _SPARE_GENERATIONS + 2 * len(self._connections):
            # A client without an open connection can send nothing more from an old one.
            here = {connection.client.author for connection in self._connections}
            self._generations = {a: g for a, g in self._generations.items() if a in here}

    def newest_generation(self, author: str) -> int:
        """Return the generation of a client's newest connection; 0 if it has none."""
        return self._generations.get(author, 0)

    def is_superseded(self, connection: Connection) -> bool:
        """True if the client has a newer connection here."""
        client = connection.client
        return self.newest_generation(client.author) > client.generation

    def forget_generations(self) -> None:
        """Forget every generation, when the session is unloaded."""
        self._generations.clear()

    # Sending to all of them

    def send_chat(self, outgoing: Outgoing) -> None:
        """Send a chat event to every connection that has restored."""
        batch = self._chat_batch
        if batch is not None and batch.is_open:
            batch.add(outgoing)
            return
        batch = self._chat_batch = self._begin_batch(outgoing)
        joint = JointFrame(batch)
        for connection in self._connections:
            client = connection.client
            if client.takes_chat:
                connection.send(joint if client.can_batch else batch)

    def send_canvas(self, outgoing: Outgoing) -> None:
        """Send a Yjs frame to every connection that has sent one."""
        batch = self._canvas_batch
        if batch is not None and batch.is_open:
            batch.add(outgoing)
            return
        batch = self._canvas_batch = self._begin_batch(outgoing)
        for connection in self._connections:
            if connection.client.takes_canvas:
                connection.send(batch)

    def _begin_batch(self, first: Outgoing) -> Batch:
        if self._turn is None:
            self._turn = Turn.current()
        self._turn.add(self)  # so that no batch is kept after its turn
        return Batch(first)

    def flush(self) -> None:
        """End the batches of this turn of the loop; the connections' queues write them."""
        self.end_batches()

    def end_batches(self) -> None:
        """Begin new batches with the next frames, because other connections are sent them."""
        self._chat_batch = self._canvas_batch = None

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
