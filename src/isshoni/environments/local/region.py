"""One region of a local environment: its name, and the file that says what its Redis follows."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isshoni.environments.local.files import DamagedFile, read_bytes, write_atomically
from isshoni.environments.local.region_data import DATA

_FOLLOWS = "replicaof"
_LEADS = "# it leads"
_GUARD = "data-of-a-region-that-leads.conf"
"""An empty file beside the data, which the configuration of a Redis that leads includes: without
its data Redis does not start, and its replica keeps the copy instead of copying nothing."""
_BACKLOG_BYTES = 64 << 20
"""What a replica may miss while its link is down without copying everything again."""


@dataclass(frozen=True)
class Region:
    """A region, and where its Redis reads which other one it follows.

    The file is apart from redis.conf: a promotion must outlive a restart of Redis, and change
    nothing by which `isshoni up` would restart it.
    """

    name: str
    state_dir: Path
    alternatives: tuple[str, ...]
    """The origins of the other regions."""

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the variables of its programs."""
        return {
            "ISSHONI_REGION": self.name,
            "ISSHONI_REGION_ALTERNATIVES": ",".join(self.alternatives),
        }

    @property
    def _path(self) -> Path:
        return self.redis_directory / "replication.conf"

    @property
    def redis_directory(self) -> Path:
        """Return the directory of its Redis."""
        return self.state_dir / "redis"

    @property
    def _data(self) -> Path:
        return self.redis_directory / DATA

    @property
    def has_data(self) -> bool:
        """True if its Redis has stored data."""
        return any(self._data.glob("*.manifest"))

    @property
    def has_role(self) -> bool:
        """True if it was started before, so that it leads or follows."""
        return self._path.exists()

    def configure_redis(self, password: str) -> str:
        """Return the lines of redis.conf for a region; make the file that they include."""
        if not self._path.exists():
            self.write_leader(None)
        return (
            f"masterauth {password}\n"
            "repl-diskless-sync-delay 0\n"
            f"repl-backlog-size {_BACKLOG_BYTES}\n"
            f"include {shlex.quote(str(self._path))}\n"
        )

    def write_leader(self, address: tuple[str, int] | None) -> None:
        """Store the host and port that its Redis follows after a restart; None: it leads."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = f"{_FOLLOWS} {address[0]} {address[1]}\n" if address else f"{_LEADS}\n"
        if address is None and self.has_data:
            guard = self._data / _GUARD
            if not guard.exists():
                write_atomically(guard, b"# see replication.conf\n")
            content += f"include {shlex.quote(str(guard))}\n"
        if read_bytes(self._path) != content.encode():
            write_atomically(self._path, content.encode())

    def read_leader(self) -> tuple[str, int] | None:
        """Return the host and port that its Redis follows after a restart; None: it leads.

        Raises `DamagedFile`.
        """
        content = read_bytes(self._path)
        if content is None or content.startswith(_LEADS.encode()):
            return None
        words = content.decode(errors="replace").split()
        if len(words) == 3 and words[0] == _FOLLOWS and words[2].isdecimal():
            return words[1], int(words[2])
        advice = (
            f"write `{_FOLLOWS} 127.0.0.1 PORT` into it, with the Redis port of the region that "
            f"serves; or `{_LEADS}`, if it is this one"
        )
        raise DamagedFile(self._path, "it does not say what Redis follows", advice)
