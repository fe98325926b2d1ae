"""Run the dashboard's HTTP server."""

import socket

import uvicorn
from fastapi import FastAPI

from isshoni.dashboard.access import is_loopback
from isshoni.errors import ExitCode, IsshoniError


class CannotListen(IsshoniError):
    """The dashboard's address cannot be used."""

    exit_code = ExitCode.ENVIRONMENT


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; port 0 is any free one. Raises `CannotListen`."""
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
    """Raise `CannotListen` if other machines could read without the token."""
    if not is_loopback(host) and not guards_reading:
        raise CannotListen(
            f"on {host} other machines could read without the token: add --token-to-read, or "
            "listen on 127.0.0.1"
        )


async def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM; live views are then disconnected."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    await uvicorn.Server(config).serve(sockets=[listening])
