"""Keep the readings of the last rollout, as live views ask for them several times a second."""

from pathlib import Path

from isshoni.engine.readings import Reading, read_readings


class ReadingCache:
    """Reads a file of readings again only after it has changed."""

    def __init__(self) -> None:
        self._version: tuple[Path, int, int] | None = None
        self._readings: list[Reading] = []

    def read(self, path: Path) -> list[Reading]:
        """Return all readings of a rollout, oldest first; none if there is no file."""
        try:
            found = path.stat()
        except OSError:
            return []
        version = path, found.st_size, found.st_mtime_ns
        if version != self._version:
            self._readings, self._version = read_readings(path), version
        return self._readings
