"""The logs of a local environment's programs, by the names that users give them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from isshoni.environments.local.log_follower import follow
from isshoni.environments.local.logs import tail
from isshoni.environments.local.port_checks import BALANCER, REDIS
from isshoni.environments.local.process_names import (
    MAX_PROCESSES,
    list_processes,
    parse_process,
    parse_side_program,
)
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.relay_names import list_relays, name_relay
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS


class ProgramLogs:
    """Finds and reads the logs."""

    def __init__(self, files: ProgramFiles) -> None:
        self._files = files

    @property
    def names(self) -> Sequence[str]:
        """Return the programs that have a log."""
        several = [list_processes(colour, MAX_PROCESSES) for colour in COLOURS]
        more = [
            process.name
            for first, *others in several
            for process in (first, *others)
            if any(self._files.log_path(each.program).exists() for each in others)
            and self._files.log_path(process.program).exists()
        ]
        relay = [name_relay(number) for number in list_relays(self._files.names_logged())]
        sides = sorted(filter(parse_side_program, self._files.names_logged()))
        return (*COLOURS, *more, *sides, *relay, BALANCER, REDIS, "supervisor")

    async def tail(self, name: str, lines: int) -> list[str]:
        """Return the last lines of a program's log, oldest first."""
        path = self._find(name)
        if not path.exists():
            raise EnvironmentFault(f"{name} has not written anything yet ({path})")
        return tail(path, lines)

    def follow(self, name: str) -> AsyncIterator[str]:
        """Yield each line of a program's log as it is written."""
        return follow(self._find(name))

    def _find(self, name: str) -> Path:
        process = parse_process(name)
        return self._files.log_path(process.program if process else name)
