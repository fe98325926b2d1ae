"""The dashboard's process: where it may listen, and how it ends."""

import socket

import uvicorn
from fastapi import FastAPI

from isshoni.dashboard.access import is_loopback
from isshoni.errors import ExitCode, IsshoniError


class CannotListen(IsshoniError):
    """The dashboard's address cannot be used."""

    exit_code = ExitCode.ENVIRONMENT


def open_socket(host: str, port: int) -> socket.socket:
    """Listen; port 0 is any free one. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as fault:
        listening.close()
        raise CannotListen(
            f"the dashboard cannot listen on {host}:{port}: {fault.strerror}; choose another "
            "with --port (0: any free one)"
        ) from None
    return listening


def check_host(host: str, *, guards_reading: bool) -> None:
    """Refuse to show anything to a network that may read without a token."""
    if not is_loopback(host) and not guards_reading:
        raise CannotListen(
            f"on {host} anybody could read: say --token-to-read, or listen on 127.0.0.1"
        )


async def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until told to end (Ctrl-C, SIGTERM); live views are cut off then."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    await uvicorn.Server(config).serve(sockets=[listening])
