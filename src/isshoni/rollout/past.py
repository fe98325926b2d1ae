"""Earlier stable releases: the order in which rollbacks go back, and finding one by name."""

from collections.abc import Iterable, Sequence

from isshoni.rollout.model import Release, Stable
from isshoni.rollout.state import Rollout

MIN_CONTENT_DIGITS = 7
"""A content id may be shortened to this many digits, as in git."""


def walk_back(stables: Iterable[Stable]) -> list[Stable]:
    """Return the releases that repeated rollbacks go back to, newest first.

    `stables` is oldest first. When a rollback returned to a release, the releases between are
    left out: a second rollback never leads to one that was just rolled back.
    """
    kept: list[Stable] = []
    for stable in stables:
        known = [old.release for old in kept] if stable.returned else []
        if stable.release in known:
            del kept[len(known) - known[::-1].index(stable.release) :]
        if kept and kept[-1].release == stable.release:
            kept.pop()
        kept.append(stable)
    return kept[::-1]


def find_releases(
    name: str, stables: Sequence[Stable], rollouts: Sequence[Rollout]
) -> list[Release]:
    """Return every release that was once live and that `name` matches, newest first.

    A name is a rollout's id, a label, or a content id (its digest, seven digits or more).
    """
    promoted = [rollout for rollout in rollouts if rollout.outcome == "promoted"]
    brought = [rollout.release for rollout in promoted if rollout.id == name]
    if brought:
        return brought
    live = [stable.release for stable in stables]
    for rollout in promoted:
        live += [rollout.release, rollout.stable.release]
    return [release for release in dict.fromkeys(live) if _fits(name, release)]


def _fits(name: str, release: Release) -> bool:
    if name in (release.label, release.source):
        return True
    content = release.content or ""
    digest = content.partition("-")[2]
    return len(name) >= MIN_CONTENT_DIGITS and (digest.startswith(name) or content == name)
