"""Hand the listening sockets from the serving process to its spare.

A spare is a process that has loaded all code and has asked the serving process for its
listening sockets. Then it waits for the line to close, which the kernel does when that process
ends, whatever the reason: no other process has to notice it or give an order. The sockets stay
open, so a client that connects in between waits and is not refused.

The line is a socket pair; the program that starts both processes passes its ends in these
variables.
"""

import contextlib
import os
import socket
from collections.abc import Mapping

HEIR_VARIABLE = "ISSHONI_HEIR_FD"
"""The serving process's end of the line, on which spares ask."""
SPARE_VARIABLE = "ISSHONI_SPARE_FD"
"""The spare's end of the line; a process with this variable is a spare."""
TOOK_OVER = "took_over"
"""The log event with which a spare begins to serve; the first that it logs."""
_ASK, _ANSWER = b"?", b"."


def find_line(environment: Mapping[str, str], variable: str) -> socket.socket | None:
    """Open the end of the line that a variable names; None if it names none."""
    try:
        line = socket.socket(fileno=int(environment[variable]))
    except (KeyError, ValueError, OSError):
        return None
    line.set_inheritable(False)  # a child process would keep it open after the end of this one
    return line


def answer_spare(line: socket.socket, listeners: tuple[socket.socket, socket.socket]) -> bool:
    """Send the listening sockets to a spare that asks; False if no spare can ask any more."""
    try:
        if not line.recv(1):
            return False
        socket.send_fds(line, [_ANSWER], [listener.fileno() for listener in listeners])
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def wait_to_take_over(line: socket.socket) -> tuple[socket.socket, socket.socket] | None:
    """Block until the serving process has ended; return its public and admin sockets.

    None if it ended before it could send them: then its ports are free.
    """
    received = _ask(line)
    _wait_for_the_end(line)
    if len(received) != 2:
        for descriptor in received:
            os.close(descriptor)
        return None
    public, admin = (socket.socket(fileno=descriptor) for descriptor in received)
    public.setblocking(False)
    admin.setblocking(False)
    return public, admin


def _ask(line: socket.socket) -> list[int]:
    try:
        line.sendall(_ASK)
        return socket.recv_fds(line, 1, 2)[1]
    except OSError:
        return []


def _wait_for_the_end(line: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):  # it ended with unread data
        while line.recv(1):  # an answer that an earlier spare did not read
            pass
    line.close()
