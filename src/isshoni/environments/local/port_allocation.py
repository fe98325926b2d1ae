"""Ports: chosen once and remembered, and whether somebody else holds one."""

import socket
from pathlib import Path

import msgspec
import psutil

from isshoni.environments.errors import PortTaken
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.files import read_bytes, write_json


def allocate_ports(config: LocalConfig) -> Ports:
    """Give every port of the environment a number; the free choices are kept in a file."""
    path = config.state_dir / "ports.json"
    remembered = _read(path)
    chosen: dict[str, int] = {}
    taken = {port for _, port in config.ports if port}
    for name, port in config.ports:
        number = port or remembered.get(name, 0)
        while not number or (not port and number in taken):
            number = _find_free_port(config.host)
        chosen[name] = number
        taken.add(number)
    write_json(path, chosen)
    return Ports(**chosen)


def check_port_free(host: str, port: int, setting: str) -> None:
    """Raise `PortTaken` when somebody listens on `port`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise PortTaken(port, setting, find_holder_of(port)) from None


def find_holder_of(port: int) -> str | None:
    """Name the program that listens on `port`, when the system lets us see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
        pid = next(
            c.pid
            for c in connections
            if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.pid
        )
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except (psutil.Error, StopIteration, OSError):
        return None


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(read_bytes(path) or b"{}", type=dict[str, int])
    except msgspec.DecodeError:
        return {}


def _find_free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
