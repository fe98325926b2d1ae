"""A worker process: some sessions' users, driven by the run over stdin and stdout."""

import asyncio
import signal
import sys
from contextlib import suppress

import uvloop

from isshoni.verify.clock import RunClock
from isshoni.verify.crowd import Share
from isshoni.verify.load import LocalLoad
from isshoni.verify.worker_messages import (
    Collect,
    Counted,
    Do,
    Done,
    Found,
    Start,
    read_to_worker,
    send,
)

PROGRESS_SECONDS = 0.25


async def work() -> None:
    """Do the steps that the run asks for, until it closes the stream."""
    reader, writer = await _open_streams()
    start = await read_to_worker(reader)
    if not isinstance(start, Start):
        return
    clock = RunClock(start.clock_started, start.started_at_unix)
    share = Share(start.index, start.of, start.run)
    load = LocalLoad(start.url, start.settings, clock, share)
    reporting = asyncio.create_task(_report_progress(writer, load))
    steps = asyncio.create_task(_take_steps(reader, writer, load))
    try:
        await asyncio.wait((steps, reporting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (reporting, steps):
            task.cancel()
        await load.leave()
    for task in (steps, reporting):
        if task.done() and not task.cancelled():
            task.result()


async def _take_steps(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, load: LocalLoad
) -> None:
    while True:
        match await read_to_worker(reader):
            case Do(step):
                await getattr(load, step)()
                send(writer, Counted(load.count()))
                send(writer, Done(step))
            case Collect(deploys_began_at, ended_at):
                send(writer, Found(await load.collect(deploys_began_at, ended_at)))
            case _:
                return  # The run is over, or its process has ended.
        await writer.drain()


async def _report_progress(writer: asyncio.StreamWriter, load: LocalLoad) -> None:
    while True:
        send(writer, Counted(load.count()))
        await asyncio.sleep(PROGRESS_SECONDS)


async def _open_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    transport, writing = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), sys.stdout.buffer
    )
    return reader, asyncio.StreamWriter(transport, writing, reader, loop)


def main() -> None:
    """Work until the run closes the stream."""
    # Ctrl-C reaches all processes of the terminal: the run decides, and closes the stream.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError, ConnectionError):
        uvloop.run(work())


if __name__ == "__main__":
    main()
