"""What users were on before: the way that `isshoni rollback` walks, and how it is named."""

from collections.abc import Iterable, Sequence

from isshoni.rollout.model import Release, Stable
from isshoni.rollout.state import Rollout

MIN_CONTENT_DIGITS = 7
"""As many digits of a content id name it, as git has it."""


def walk_back(stables: Iterable[Stable]) -> list[Stable]:
    """Return the releases that a rollback walks through, newest first.

    `stables` come oldest first. One that a rollback brought back takes what came after
    it out of the way: going back from there never leads to what was just left.
    """
    way: list[Stable] = []
    for stable in stables:
        known = [old.release for old in way]
        if stable.returned and stable.release in known:
            del way[len(known) - known[::-1].index(stable.release) :]
        if way and way[-1].release == stable.release:
            way.pop()
        way.append(stable)
    return way[::-1]


def find_releases(
    name: str, stables: Sequence[Stable], rollouts: Sequence[Rollout]
) -> list[Release]:
    """Return every release that was live once and that `name` fits, newest first.

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
