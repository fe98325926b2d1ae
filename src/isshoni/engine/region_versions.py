"""Compare the versions of two regions: how they differ, and what brings both to one."""

from dataclasses import dataclass
from typing import Protocol

from isshoni.engine.errors import JournalFault
from isshoni.engine.journal import Journal
from isshoni.engine.lease import is_free
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release
from isshoni.rollout.state import Rollout

_FAILOVER = "no planned failover is possible until both have one version"


@dataclass(frozen=True)
class RegionVersion:
    """What the journal of a region has about its version."""

    name: str
    release: Release
    previous: Release | None = None
    """The release that a rollback of this region would return to."""
    unfinished: Rollout | None = None
    """Its rollout that is running without an engine, or stuck."""
    is_busy: bool = False
    """True while an engine works in it."""


@dataclass(frozen=True)
class Difference:
    """Two regions have not one version."""

    detail: str
    remedy: str
    """The commands that bring both to one version."""


def read_version(name: str, journal: Journal, now: float) -> RegionVersion | None:
    """Return the version of a region; None if it has none, or cannot be read."""
    try:
        stables = journal.list_stables()
        latest = journal.read_latest()
        is_busy = not is_free(journal.read_lease(), now)
    except (EnvironmentFault, JournalFault):
        return None
    if not stables:
        return None
    is_over = latest is None or latest.rollout.outcome not in ("running", "stuck")
    return RegionVersion(
        name,
        stables[0].release,
        stables[1].release if len(stables) > 1 else None,
        None if is_over or latest is None else latest.rollout,
        is_busy,
    )


def find_difference(
    serving: RegionVersion, standby: RegionVersion, environment: str
) -> Difference | None:
    """Return how two regions differ; None if they do not, or an engine works in one."""
    if serving.is_busy or standby.is_busy:
        return None
    for region in (serving, standby):
        if region.unfinished is not None:
            return _describe_unfinished(region.name, region.unfinished, environment)
    if serving.release.is_request_for(standby.release):
        return None
    here, there = serving.release.name, standby.release.name
    detail = f"{serving.name} serves {here}, its standby {standby.name} has {there}: {_FAILOVER}"
    rollback = _command("rollback", environment)
    if is_ahead(serving, standby):
        deploy = _deploy(serving.release, f"{environment}.{standby.name}")
        return Difference(
            detail,
            f"{deploy} deploys {here} to {standby.name}, or {rollback} returns {serving.name} to "
            f"{there}",
        )
    deploy = _deploy(standby.release, environment)
    return Difference(
        detail,
        f"{rollback} returns {standby.name} to {here}, or {deploy} deploys {there} to "
        f"{serving.name}",
    )


class HasVersions(Protocol):
    """A region with its release, and the one that a rollback of it would return to."""

    @property
    def release(self) -> Release | None:
        """Return the release that was promoted last."""

    @property
    def previous(self) -> Release | None:
        """Return the release before it."""


def is_ahead(serving: HasVersions, standby: HasVersions) -> bool:
    """True if the standby still has the release that the serving region had before its own.

    Not if the standby had the serving region's release too, and left it.
    """
    if serving.release is None or serving.previous is None or standby.release is None:
        return False
    has_left = standby.previous is not None and serving.release.is_request_for(standby.previous)
    return serving.previous.is_request_for(standby.release) and not has_left


def _describe_unfinished(region: str, rollout: Rollout, environment: str) -> Difference:
    name = rollout.release.name
    rollback = _command("rollback", environment)
    if rollout.outcome == "stuck":
        detail = f"rollout {rollout.id} of {name} is stuck in {region} ({rollout.reason})"
        return Difference(f"{detail}: {_FAILOVER}", f"{rollback} returns both to one version")
    detail = f"rollout {rollout.id} of {name} is not over in {region}, and has no engine"
    remedy = f"{rollback} returns both to one version"
    if rollout.rollback is None:
        # Of an unfinished rollout the label is enough, whatever the release is.
        deploy = _command(f"deploy {rollout.release.label}", environment)
        remedy += f", or {deploy} continues it"
    return Difference(f"{detail}: {_FAILOVER}", remedy)


def _deploy(release: Release, environment: str) -> str:
    """Return what deploys a release: only of Isshoni's own program a label is enough."""
    if release.command is None and release.source is None:
        return _command(f"deploy {release.label}", environment)
    where = "" if environment == "local" else f", with `-e {environment}`,"
    return f"the command that deployed {release.name}{where}"


def _command(words: str, environment: str) -> str:
    where = "" if environment == "local" else f" -e {environment}"
    return f"`isshoni {words}{where}`"
