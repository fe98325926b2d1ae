"""What was said before the verb."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Options:
    """Options of the command itself; a verb reads them when it runs."""

    config_file: Path | None = None


options = Options()
