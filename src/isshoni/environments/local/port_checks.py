"""Check that the ports of a program are free before it is started."""

from isshoni.environments.local.balancer_files import speaks_tls
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.port_allocation import (
    PortBook,
    ProcessPorts,
    check_port_free,
)
from isshoni.environments.local.process_names import SlotProcess, parse_process
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.relay_names import parse_relay
from isshoni.rollout.model import COLOURS

REDIS = "redis"
BALANCER = "balancer"
_PORTS_OF = {REDIS: ("redis",), BALANCER: ("public", "balancer_admin")}


class PortChecks:
    """Checks the ports of one program after another."""

    def __init__(
        self, config: LocalConfig, ports: Ports, book: PortBook, files: ProgramFiles
    ) -> None:
        self._config = config
        self._ports = ports
        self._book = book
        self._files = files

    def check_unless_wanted(self, name: str) -> bool:
        """Check the ports of a program that should not run yet; return True for such a one.

        A program that should run may hold its ports itself. Raises `PortTaken`.
        """
        wanted = self._files.wanted(name)
        if wanted is None:
            self.check(name)
        elif name == BALANCER and not speaks_tls(wanted.label):
            self._check_tls()  # it will be restarted with one port more
        return wanted is None

    def check(self, name: str) -> None:
        """Raise `PortTaken` if a port of a program is in use."""
        process = parse_process(name)
        if process is not None:
            self._check_process(process)
            return
        relay = parse_relay(name)
        if relay is not None:
            for colour in COLOURS:
                self._check_two(self._book.of_relay(colour, relay), f"{name}_{colour}")
            return
        for setting in _PORTS_OF.get(name, ()):
            host = self._config.plain_host if setting == "public" else "127.0.0.1"
            check_port_free(host, getattr(self._ports, setting), f"ports.{setting}")
        if name == BALANCER:
            self._check_tls()

    def _check_tls(self) -> None:
        if self._config.tls_certificate is not None:
            check_port_free(self._config.host, self._config.tls_port, "tls_port")

    def _check_process(self, process: SlotProcess) -> None:
        self._check_two(self._book.of(process), process.program)

    def _check_two(self, ports: ProcessPorts, name: str) -> None:
        for port, suffix in ((ports.public, ""), (ports.admin, "_admin")):
            check_port_free("127.0.0.1", port, f"ports.{name}{suffix}")
