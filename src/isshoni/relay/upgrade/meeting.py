"""Where a new relay finds the one that serves: a socket in a private directory."""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from isshoni.errors import ExitCode, IsshoniError

_NAME = "relay.sock"
_LONGEST_PATH = 100
"""A socket's address has room for 107 bytes."""
_CREDENTIALS = struct.Struct("3i")


class BadDirectory(IsshoniError):
    """Another user could reach the sockets of all clients."""

    exit_code = ExitCode.CONFIG

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"ISSHONI_RELAY_DIRECTORY: {path} {reason}: "
            "name a directory that belongs to this user and has the mode 0700"
        )


def check_directory(path: Path) -> None:
    """Create the directory, or raise `BadDirectory` if others than its owner can enter it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as fault:
        raise BadDirectory(path, f"cannot be created ({fault.strerror})") from None
    if found.st_uid != os.getuid():
        raise BadDirectory(path, "belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise BadDirectory(path, f"has the mode {stat.S_IMODE(found.st_mode):04o}")


def find_serving_relay(directory: Path) -> socket.socket | None:
    """Connect to the relay that serves; None if there is none."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(directory / _NAME) as path:
            connected.connect(path)
    except OSError:
        connected.close()
        return None
    return connected


def listen_for_next(directory: Path) -> socket.socket:
    """Return a socket on which a newer relay can connect; it replaces that of the one before."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    name = directory / f"{os.getpid()}.sock"
    with contextlib.suppress(FileNotFoundError):
        name.unlink()
    with _short(name) as path:
        listener.bind(path)
    listener.listen(8)
    listener.setblocking(False)
    name.replace(directory / _NAME)
    return listener


def is_same_user(connected: socket.socket) -> bool:
    """True if the other end belongs to this user; so it is by the directory, too."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    data = connected.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(data)[1] == os.getuid())


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Return a path of the same file that is short enough for a socket's address."""
    if len(os.fsencode(path)) < _LONGEST_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
