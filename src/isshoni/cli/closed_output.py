"""End quietly when the pipe that output goes to is closed, as in `isshoni history | head -1`."""

import contextlib
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO, cast


class OutputClosed(Exception):
    """Standard output or standard error is a pipe that nothing reads any more."""


class _PipeStream:
    """A text stream that raises `OutputClosed`, which no library handles in its own way.

    Rich and Click exit with code 1 at a `BrokenPipeError`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            raise OutputClosed from None

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise OutputClosed from None

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextlib.contextmanager
def raise_if_output_closes() -> Iterator[None]:
    """Raise `OutputClosed` for a closed standard output or error, also at the last flush."""
    before = sys.stdout, sys.stderr
    # A stream is None if the command was started without it (`>&-`).
    sys.stdout, sys.stderr = (s and cast(TextIO, _PipeStream(s)) for s in before)
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OutputClosed:
        _discard_output()
        raise
    finally:
        sys.stdout, sys.stderr = before


def check_output() -> None:
    """Raise `OutputClosed` if standard output is a pipe that was closed, without writing to it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no stream, or no descriptor
        poller = select.poll()
        poller.register(sys.stdout.fileno(), 0)  # asks for errors only
        if any(event & select.POLLERR for _, event in poller.poll(0)):
            raise OutputClosed


def _discard_output() -> None:
    """Send the rest to /dev/null: Python complains about text it cannot flush at its exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
