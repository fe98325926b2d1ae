"""The way that rollbacks walk, and how a release on it is named."""

from dataclasses import replace

from isshoni.rollout.model import Release, Stable
from isshoni.rollout.past import find_releases, walk_back
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import Rollout, begin_rollout, end_rollout

A, B, C = (
    Release("app", source="git:main", content=f"git-{digit * 40}", directory="/repo")
    for digit in "abc"
)


def forward(*releases: Release) -> list[Stable]:
    return [Stable("blue", release) for release in releases]


def back(release: Release) -> Stable:
    return Stable("green", release, returned=True)


def walked(*stables: Stable) -> list[Release]:
    return [stable.release for stable in walk_back(stables)]


def test_deploys_are_walked_back_newest_first() -> None:
    assert walked(*forward(A, B, C)) == [C, B, A]


def test_each_rollback_goes_one_further() -> None:
    stables = [*forward(A, B, C), back(B)]
    assert walked(*stables) == [B, A]
    assert walked(*stables, back(A)) == [A]


def test_a_deploy_after_a_rollback_has_what_was_rolled_back_nowhere_behind_it() -> None:
    fixed = replace(C, content="git-" + "d" * 40)
    assert walked(*forward(A, B), back(A), *forward(fixed)) == [fixed, A]


def test_deploying_an_old_release_again_is_a_step_forward() -> None:
    assert walked(*forward(A, B, A)) == [A, B, A]


def test_bringing_the_same_up_again_is_no_step() -> None:
    assert walked(*forward(A, B, B), Stable("green", B)) == [B, A]
    assert walk_back([*forward(A), Stable("green", A)]) == [Stable("green", A)]


def test_a_return_to_what_was_rolled_back_is_on_the_way_again() -> None:
    assert walked(*forward(A, B, C), back(A), back(C)) == [C, A]


def promoted(release: Release, before: Release, id: str) -> Rollout:
    begun = begin_rollout(id, release, RolloutPlan(), Stable("blue", before), 10.0)
    return end_rollout(begun, "promoted", "", 20.0)


def test_a_release_is_found_by_label_digest_or_rollout() -> None:
    rollouts = [promoted(C, B, "r2"), promoted(B, A, "r1")]
    assert find_releases("app", forward(C), rollouts) == [C, B, A]
    assert find_releases("bbbbbbb", [], rollouts) == [B]
    assert find_releases("git-" + "a" * 40, [], rollouts) == [A]
    assert find_releases("r1", forward(C), rollouts) == [B]
    assert find_releases("bbbbbb", [], rollouts) == []


def test_what_was_rolled_back_before_it_was_live_is_no_release_to_return_to() -> None:
    failed = replace(promoted(C, B, "r2"), outcome="rolled_back")
    assert find_releases("ccccccc", forward(B), [failed]) == []


def test_a_release_says_what_it_is() -> None:
    assert A.name == "app (commit aaaaaaaaaaaa)"
    assert Release("v1").name == "v1"


def test_a_request_fits_what_has_its_content_or_tells_none() -> None:
    asked = Release("app", source="git:main")
    assert asked.is_request_for(A) and A.is_request_for(asked)
    assert not A.is_request_for(B)
    assert not replace(asked, label="other").is_request_for(A)
