"""Keep the environment variables of releases: values in private files, names in the journal.

A rollback starts a release with the variables that it was deployed with. They may be secrets, so
the journal has their names and an id only. The id is made with a secret of the environment: a
reader of the journal cannot find a short value by trying.
"""

import hashlib
import hmac
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.files import DamagedFile, read_json, write_atomically
from isshoni.rollout.model import Release

KEEP_SECONDS = 86_400.0
"""Unused files are kept for a day: a deploy that begins stores its own before it has the lease."""
_DIGITS_IN_ID = 24


class VariableStore:
    """The files under `STATE_DIR/variables`, one for each set of variables."""

    def __init__(self, state_dir: Path, secret: str) -> None:
        self._directory = state_dir / "variables"
        self._secret = secret.encode()
        self._held: dict[str, dict[str, str]] = {}

    def describe(self, release: Release, values: Mapping[str, str]) -> Release:
        """Return the release with the names of its variables and their id."""
        if not values:
            return release
        names = tuple(sorted(values))
        return replace(release, variables=names, variables_id=self._make_id(values))

    def keep(self, values: Mapping[str, str]) -> None:
        """Store the values of a release's variables. Idempotent; raises `ReleaseFault`."""
        if not values:
            return
        content = msgspec.json.encode(dict(values))
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path(self._make_id(values)), content)
        except OSError as fault:
            names = ", ".join(sorted(values))
            raise ReleaseFault(
                f"the values of {names} cannot be stored in {self._directory}: {fault}"
            ) from None

    def hold(self, values: Mapping[str, str]) -> None:
        """Remember the values in this process only: a dry run stores nothing."""
        self._held[self._make_id(values)] = dict(values)

    def read(self, release: Release) -> dict[str, str]:
        """Return the variables that a release was deployed with; raises `ReleaseFault`."""
        if release.variables_id is None:
            return {}
        if (held := self._held.get(release.variables_id)) is not None:
            return dict(held)
        try:
            values = read_json(self._path(release.variables_id), dict[str, str], "")
        except (OSError, DamagedFile):
            values = None
        if values is None:
            raise ReleaseFault(
                f"the values of {', '.join(release.variables)}, which {release.name} was deployed "
                "with, are no longer kept here: deploy it again with them"
            )
        return values

    def remove_unused(self, used: Collection[str]) -> None:
        """Remove the files that none of these ids names, except new ones."""
        if not self._directory.is_dir():
            return
        for path in self._directory.glob("[!.]*.json"):
            if path.stem not in used and time.time() - path.stat().st_mtime > KEEP_SECONDS:
                path.unlink(missing_ok=True)

    def _make_id(self, values: Mapping[str, str]) -> str:
        content = msgspec.json.encode(sorted(values.items()))
        return hmac.new(self._secret, content, hashlib.sha256).hexdigest()[:_DIGITS_IN_ID]

    def _path(self, variables_id: str) -> Path:
        return self._directory / f"{Path(variables_id).name}.json"
