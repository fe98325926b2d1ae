"""A primary and a replica that can be made to lag, and be put in its place."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


class HeldLink:
    """A TCP link from the replica to the primary that can be held: the replica then lags."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; gives the port."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def hold(self) -> None:
        """Carry nothing more."""
        self._open.clear()

    async def aclose(self) -> None:
        """Cut it; what was held is lost."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                await self._open.wait()
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


class RedisPair:
    """A primary and its replica; `url` names whichever is in the primary's place."""

    def __init__(self, directory: Path) -> None:
        self.primary = ValkeyServer(directory / "primary", fsync="everysec")
        self.replica = ValkeyServer(directory / "replica", fsync="everysec")
        self.url = self.primary.url
        self._link = HeldLink(self.primary.port)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.primary.start)
        await asyncio.to_thread(self.replica.start)
        self.primary.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        port = await self._link.start()
        self.replica.command("REPLICAOF", "127.0.0.1", str(port))
        await wait_until(self._is_in_step, "the replica is in step")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.primary.stop()
        self.replica.stop()
        await self._link.aclose()

    async def lag(self) -> None:
        """Let the replica take in all there is, and nothing of what follows."""
        await wait_until(self._is_in_step, "the replica is in step")
        self._link.hold()

    async def fail_over(self) -> None:
        """kill -9 the primary, and put the replica in its place."""
        self.primary.kill()
        await self._link.aclose()
        assert self.replica.command("REPLICAOF", "NO", "ONE").startswith(b"+OK")
        assert self.replica.command("CONFIG", "SET", "port", str(self.primary.port)) == b"+OK\r\n"
        self.replica.port = self.primary.port

    def _is_in_step(self) -> bool:
        offsets = [_read_offset(server) for server in (self.primary, self.replica)]
        return b"master_link_status:up" in self.replica.command("INFO", "replication") and (
            offsets[0] == offsets[1]
        )


def _read_offset(server: ValkeyServer) -> int:
    answer = server.command("INFO", "replication")
    fields = dict(line.split(b":", 1) for line in answer.split(b"\r\n") if b":" in line)
    return int(fields.get(b"slave_repl_offset", fields[b"master_repl_offset"]))
