"""Redirect the output of an engine to a log once its terminal or pipe is closed."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO, cast

LOG_NAME = "engine"
"""The name of that log in `isshoni logs`."""
_FULL_PIPE_SECONDS = 0.01
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def find_log(state_dir: Path) -> Path:
    """Return the log for the output of engines whose terminal was closed."""
    return state_dir / "logs" / f"{LOG_NAME}.log"


class LastingOutput:
    """Redirects standard output and error to a log once they cannot be written."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._news: str | None = None

    def leave_terminal(self, why: str) -> None:
        """Redirect both streams to the log from now on."""
        for stream in (sys.stdout, sys.stderr):
            self.move(stream.fileno(), why)

    def move(self, descriptor: int, why: str) -> None:
        """Redirect a stream to the log, or to /dev/null if the log cannot be opened."""
        try:
            self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            target = os.open(os.devnull, os.O_WRONLY)
        os.dup2(target, descriptor)
        os.close(target)
        if self._news is None:
            at = datetime.now().astimezone().isoformat(" ", "seconds")
            with contextlib.suppress(OSError):
                os.write(descriptor, f"--- {at} process {os.getpid()}: {why}\n".encode())
            self._news = f"{why}; the engine continues, and writes to {self._log}"

    def take_news(self) -> str | None:
        """Return why and where output was redirected; once, then None."""
        news, self._news = self._news, "" if self._news else self._news
        return news or None


class _LastingStream:
    """A text stream that is redirected to the log at the first failed write.

    It bypasses the stream's own buffer, whose content would be lost at a failed write.
    """

    def __init__(self, stream: TextIO, output: LastingOutput, name: str) -> None:
        self._stream = stream
        self._output = output
        self._name = name
        self._moved = False

    def write(self, text: str) -> int:
        if not self._stream.isatty():
            text = _CONTROLS.sub("", text)
        left = text.encode(self._stream.encoding or "utf-8", self._stream.errors or "replace")
        while left:
            try:
                left = left[os.write(self._stream.fileno(), left) :]
            except BlockingIOError:
                time.sleep(_FULL_PIPE_SECONDS)
            except OSError as fault:
                if self._moved:
                    break  # the log cannot be written either
                self._moved = True
                why = f"standard {self._name} was closed ({fault.strerror})"
                self._output.move(self._stream.fileno(), why)
        return len(text)

    def flush(self) -> None:
        """Do nothing: writes are not buffered."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextlib.contextmanager
def lasting_output(state_dir: Path) -> Iterator[LastingOutput]:
    """Redirect output to the log if the pipe or terminal is closed, so the engine continues."""
    output = LastingOutput(find_log(state_dir))
    before = sys.stdout, sys.stderr
    for stream in before:
        stream.flush()
    sys.stdout = cast(TextIO, _LastingStream(sys.stdout, output, "output"))
    sys.stderr = cast(TextIO, _LastingStream(sys.stderr, output, "error"))
    try:
        with _outlive_hangup(output):
            yield output
    finally:
        sys.stdout, sys.stderr = before


@contextlib.contextmanager
def _outlive_hangup(output: LastingOutput) -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    if before == signal.SIG_IGN:  # `nohup` has redirected the output already
        yield
        return

    def leave(number: int, frame: object) -> None:
        del number, frame
        output.leave_terminal("the terminal was closed (SIGHUP)")

    signal.signal(signal.SIGHUP, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
