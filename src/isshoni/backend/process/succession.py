"""The line between the process that serves and its spare.

A spare is a process that has loaded everything and asks the one that serves for its
listening sockets. Then it waits for the line to close, which the kernel does at that
process' end, however it comes: nobody has to see the death, and nobody gives an order.
As the sockets stay open, whoever connects in between waits, and is not refused.

The line is a socket pair; whoever starts the two names its ends by these variables.
"""

import contextlib
import os
import socket
from collections.abc import Mapping

HEIR_VARIABLE = "ISSHONI_HEIR_FD"
"""The end of the process that serves: spares will ask there."""
SPARE_VARIABLE = "ISSHONI_SPARE_FD"
"""The end of the spare: a process that has this is one."""
TOOK_OVER = "took_over"
"""The event with which a spare begins to serve, and the first that it logs."""
_ASK, _ANSWER = b"?", b"."


def find_line(environment: Mapping[str, str], variable: str) -> socket.socket | None:
    """Open the end that a variable names; None when it names none."""
    try:
        line = socket.socket(fileno=int(environment[variable]))
    except (KeyError, ValueError, OSError):
        return None
    line.set_inheritable(False)  # a child of ours would keep it open beyond our end
    return line


def answer_spare(line: socket.socket, listeners: tuple[socket.socket, socket.socket]) -> bool:
    """Hand the listening sockets to the spare that asks; False: nobody can ask any more."""
    try:
        if not line.recv(1):
            return False
        socket.send_fds(line, [_ANSWER], [listener.fileno() for listener in listeners])
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def wait_to_succeed(line: socket.socket) -> tuple[socket.socket, socket.socket] | None:
    """Block until the process that serves is gone; gives its public and admin sockets.

    None: it was gone before it could hand them over, and its ports are free.
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
    with contextlib.suppress(ConnectionResetError):  # it left something unread
        while line.recv(1):  # an answer that a spare before us did not live to take
            pass
    line.close()
