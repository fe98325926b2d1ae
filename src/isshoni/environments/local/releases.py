"""Releases on one machine: installed once each, in an environment of their own."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from isshoni.environments.errors import ReleaseFault
from isshoni.rollout.model import Release


@dataclass(frozen=True)
class Installed:
    """Where a release's programs are."""

    python: Path
    directory: Path | None = None
    """What its command runs in; None: where the supervisor runs."""
    env: dict[str, str] = field(default_factory=dict)

    def resolve(self, command: list[str]) -> list[str]:
        """Take the program from the release's own environment where it has it."""
        if "/" in command[0]:
            return command
        if command[0] in ("python", "python3"):
            return [str(self.python), *command[1:]]
        own = self.python.parent / command[0]
        return [str(own), *command[1:]] if own.exists() else command


class ReleaseStore:
    """The releases under `STATE_DIR/releases`."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "releases"

    async def install(self, release: Release) -> None:
        """Make `release` ready to start. Idempotent."""
        self.locate(release)

    def locate(self, release: Release) -> Installed:
        """Find an installed release."""
        if release.source is None:
            return Installed(Path(sys.executable))
        raise ReleaseFault(f"source {release.source!r} cannot be installed yet")
