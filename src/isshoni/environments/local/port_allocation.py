"""Choose free ports once and remember them; find the program that uses a port."""

import random
import socket
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import psutil

from isshoni.environments.errors import NoFreePort, PortTaken
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.files import read_json, write_json
from isshoni.environments.local.process_names import SideProgram, SlotProcess
from isshoni.environments.local.relay_names import name_relay
from isshoni.rollout.model import Colour

_EPHEMERAL_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_ELSEWHERE = (49152, 65535)
"""IANA's range of ephemeral ports, which macOS uses."""
_LOWEST = 10_240
"""Lower ports are often used by well-known programs."""
_FIRST_UNPRIVILEGED = 1024
_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


def allocate_ports(config: LocalConfig, reserved: Collection[int] = ()) -> Ports:
    """Return every port of the environment; chosen ones are stored in a file.

    `reserved`: ports of another environment, which need not run now.
    """
    path = config.state_dir / "ports.json"
    remembered = _read(path)
    chosen: dict[str, int] = {}
    taken = {port for _, port in config.ports if port} | set(reserved)
    for name, port in config.ports:
        number = port or remembered.get(name, 0)
        while not number or (not port and number in taken):
            number = find_free_port(config.host)
        chosen[name] = number
        taken.add(number)
    write_json(path, chosen)
    return Ports(**chosen)


class ProcessPorts(NamedTuple):
    """The two ports of a process of a slot, or of a door of the relay, on loopback."""

    public: int
    admin: int


class PortBook:
    """The ports of all processes of the slots.

    Process 0 has the configured ports of its slot. Those of the others are chosen once and kept in
    a file of their own, which an earlier version does not overwrite.
    """

    def __init__(self, config: LocalConfig, ports: Ports) -> None:
        self._host = config.host
        self._path = config.state_dir / "process-ports.json"
        self._ports = ports

    def of(self, process: SlotProcess) -> ProcessPorts:
        """Return the ports of a process; choose and store them if it has none yet."""
        if process.number == 0:
            found = dict(self._ports)
            return ProcessPorts(found[process.colour], found[f"{process.colour}_admin"])
        return ProcessPorts(*self._find(process.name, f"{process.name}_admin"))

    def of_relay(self, colour: Colour, number: int = 0) -> ProcessPorts:
        """Return the ports of a relay's door of a colour; choose and store them if needed."""
        name = f"{name_relay(number)}_{colour}"
        return ProcessPorts(*self._find(name, f"{name}_admin"))

    def of_side_program(self, side: SideProgram) -> int:
        """Return the port of a side program; choose and store it if it has none yet."""
        return self._find(side.program)[0]

    def replace_taken_relay_ports(self, number: int = 0) -> None:
        """Choose other ports for a relay that does not run, where a program has taken one."""
        known = _read(self._path)
        taken = [
            name
            for name, port in known.items()
            if name.startswith(f"{name_relay(number)}_") and not _is_free("127.0.0.1", port)
        ]
        if taken:
            write_json(self._path, {n: port for n, port in known.items() if n not in taken})

    def _find(self, *names: str) -> list[int]:
        known = _read(self._path)
        taken = {*(port for _, port in self._ports), *known.values()}
        missing = [name for name in names if name not in known]
        for name in missing:
            while (port := find_free_port(self._host)) in taken:
                continue
            known[name] = port
            taken.add(port)
        if missing:
            write_json(self._path, known)
        return [known[name] for name in names]


def check_port_free(host: str, port: int, setting: str) -> None:
    """Raise `PortTaken` if a program listens on `port`."""
    with _open_socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise PortTaken(port, setting, find_holder_of(port)) from None


def find_holder_of(port: int) -> str | None:
    """Return name and pid of the program that listens on `port`; None if it is not visible."""
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
    """Return the stored ports; raises `DamagedFile`: programs that run have them."""
    advice = (
        "restore it from a backup; or remove it, then run `isshoni down` and `isshoni up`, which "
        "choose other ports"
    )
    return dict(read_json(path, dict[str, _Port], advice) or {})


def find_free_port(host: str) -> int:
    """Return a free port outside the ephemeral range.

    A port that the kernel chooses is in the range for outgoing connections: until the program
    listens on it, any outgoing connection may take it, and the program then cannot start.
    """
    candidates = _list_kept_ports(*read_ephemeral_range())
    if not candidates:  # every port that needs no privilege is in the range
        return _choose_by_kernel(host)
    for port in random.sample(candidates, len(candidates)):
        if _is_free(host, port):
            return port
    raise NoFreePort(candidates[0], candidates[-1])


def read_ephemeral_range() -> tuple[int, int]:
    """Return the first and the last port of the range for outgoing connections."""
    try:
        first, last = map(int, _EPHEMERAL_FILE.read_text().split())
    except (OSError, ValueError):
        return _EPHEMERAL_ELSEWHERE
    return first, last


def is_ephemeral(port: int) -> bool:
    """True if the kernel may use a port for outgoing connections."""
    first, last = read_ephemeral_range()
    return first <= port <= last


def read_chosen(state_dir: Path) -> dict[str, int]:
    """Return the ports that were chosen and stored, by their setting or program."""
    return _read(state_dir / "ports.json") | _read(state_dir / "process-ports.json")


def forget_chosen(state_dir: Path, names: Collection[str]) -> None:
    """Make the next start choose other ports for these names."""
    for path in (state_dir / "ports.json", state_dir / "process-ports.json"):
        known = _read(path)
        if known.keys() & set(names):
            write_json(path, {name: p for name, p in known.items() if name not in names})


def is_free(host: str, port: int) -> bool:
    """True if no program uses a port."""
    return _is_free(host, port)


def _list_kept_ports(first: int, last: int) -> Sequence[int]:
    """Return the ports outside the range; none if it has all that need no privilege."""
    below, above = range(_LOWEST, first), range(last + 1, 65536)
    most = below if len(below) >= len(above) else above
    return most or range(_FIRST_UNPRIVILEGED, first)


def _is_free(host: str, port: int) -> bool:
    with _open_socket(host) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _choose_by_kernel(host: str) -> int:
    with _open_socket(host) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _open_socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
