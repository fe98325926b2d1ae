"""The variables of releases: values in private files, names in the journal."""

import os
import stat
import time
from pathlib import Path

import pytest

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.variables import KEEP_SECONDS, VariableStore
from isshoni.rollout.model import Release

VALUES = {"TOKEN": "s3cret", "DEBUG": "1"}


@pytest.fixture
def store(tmp_path: Path) -> VariableStore:
    return VariableStore(tmp_path, "a secret of the environment")


def test_a_release_has_the_names_and_gets_the_values_back(
    store: VariableStore, tmp_path: Path
) -> None:
    release = store.describe(Release("v1"), VALUES)
    store.keep(VALUES)
    assert release.variables == ("DEBUG", "TOKEN")
    assert "s3cret" not in repr(release)
    assert store.read(release) == VALUES
    (file,) = (tmp_path / "variables").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_same_values_make_the_same_release_and_others_another(store: VariableStore) -> None:
    one = store.describe(Release("v1"), VALUES)
    assert one == store.describe(Release("v1"), dict(reversed(VALUES.items())))
    assert one != store.describe(Release("v1"), VALUES | {"DEBUG": "0"})
    assert store.describe(Release("v1"), {}) == Release("v1")


def test_the_id_cannot_be_made_without_the_secret(store: VariableStore, tmp_path: Path) -> None:
    elsewhere = VariableStore(tmp_path, "another secret")
    assert store.describe(Release("v1"), VALUES) != elsewhere.describe(Release("v1"), VALUES)


def test_values_that_are_gone_are_named_by_their_names(store: VariableStore) -> None:
    release = store.describe(Release("v1"), VALUES)
    with pytest.raises(ReleaseFault, match=r"values of DEBUG, TOKEN, which v1 was deployed with"):
        store.read(release)


def test_values_that_are_held_are_read_but_not_stored(store: VariableStore, tmp_path: Path) -> None:
    store.hold(VALUES)
    release = store.describe(Release("v1"), VALUES)
    assert store.read(release) == VALUES
    assert not (tmp_path / "variables").exists()
    with pytest.raises(ReleaseFault):
        VariableStore(tmp_path, "a secret of the environment").read(release)


def test_only_old_values_of_no_release_are_removed(store: VariableStore, tmp_path: Path) -> None:
    used, unused, fresh = ({"A": name} for name in ("used", "unused", "fresh"))
    releases = [store.describe(Release("v1"), values) for values in (used, unused, fresh)]
    for values in (used, unused, fresh):
        store.keep(values)
    for release in releases[:2]:
        old = time.time() - KEEP_SECONDS - 1
        os.utime(tmp_path / "variables" / f"{release.variables_id}.json", (old, old))
    store.remove_unused({releases[0].variables_id or ""})
    assert store.read(releases[0]) == used
    assert store.read(releases[2]) == fresh
    with pytest.raises(ReleaseFault):
        store.read(releases[1])


def test_values_that_cannot_be_stored_are_a_fault_that_names_them_but_not_their_values(
    store: VariableStore, tmp_path: Path
) -> None:
    (tmp_path / "variables").write_text("not a directory")
    with pytest.raises(
        ReleaseFault, match=r"DEBUG, TOKEN cannot be stored in .*variables"
    ) as fault:
        store.keep(VALUES)
    assert "s3cret" not in str(fault.value)
