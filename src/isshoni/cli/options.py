"""The options that stand before the name of the subcommand."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Options:
    """Options of `isshoni` itself; its subcommands read them when they run."""

    config_file: Path | None = None


options = Options()
