"""The two sockets that the process listens on."""

import socket
from dataclasses import dataclass

from isshoni.backend.errors import PortTaken, PublicAdminAddress
from isshoni.backend.security.addresses import is_private
from isshoni.backend.settings.settings import BackendSettings

_BACKLOG = 4096


@dataclass(frozen=True)
class ListeningSockets:
    """The socket for clients, and the one for the engine."""

    public: socket.socket
    admin: socket.socket
    inherited: bool = False
    """True if they were inherited from an ended process of the same release."""


def open_listeners(settings: BackendSettings) -> ListeningSockets:
    """Bind and listen on both; raises `PortTaken` and `PublicAdminAddress`."""
    public = bind("ISSHONI_PORT", settings.host, settings.port)
    admin = bind("ISSHONI_ADMIN_PORT", settings.admin_host, settings.admin_port)
    _check_admin_address(settings, admin)
    return ListeningSockets(public, admin)


def bind(variable: str, host: str, port: int) -> socket.socket:
    """Bind and listen; raises `PortTaken`, which names the variable that has the port."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as fault:
        raise PortTaken(variable, host, port, fault.strerror or str(fault)) from None
    listener.setblocking(False)
    return listener


def _check_admin_address(settings: BackendSettings, listener: socket.socket) -> None:
    """Raise `PublicAdminAddress` if the resolved address is public and that is not allowed."""
    address = listener.getsockname()[0]
    if not settings.admin_allow_public and not is_private(address):
        listener.close()
        raise PublicAdminAddress(settings.admin_host, address)
