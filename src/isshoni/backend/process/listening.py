"""The two sockets that the process listens on."""

import socket
from dataclasses import dataclass

from isshoni.backend.errors import PortTaken, PublicAdminAddress
from isshoni.backend.security.addresses import is_private
from isshoni.backend.settings.settings import BackendSettings

_BACKLOG = 4096


@dataclass(frozen=True)
class Listeners:
    """Where people come in, and where the engine does."""

    public: socket.socket
    admin: socket.socket
    inherited: bool = False
    """Whether they are those of a process of the same release that is dead."""


def open_listeners(settings: BackendSettings) -> Listeners:
    """Bind and listen on both; raises `PortTaken` and `PublicAdminAddress`."""
    public = _bind("ISSHONI_PORT", settings.host, settings.port)
    admin = _bind("ISSHONI_ADMIN_PORT", settings.admin_host, settings.admin_port)
    _check_admin_address(settings, admin)
    return Listeners(public, admin)


def _bind(variable: str, host: str, port: int) -> socket.socket:
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
    """Refuse an admin port that strangers can reach; what a name resolved to counts."""
    address = listener.getsockname()[0]
    if not settings.admin_allow_public and not is_private(address):
        listener.close()
        raise PublicAdminAddress(settings.admin_host, address)
