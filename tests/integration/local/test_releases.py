"""Releases installed with real uv and git, each from what it stood for at that moment."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.releases import KEEP_LATEST, ReleaseStore
from isshoni.rollout.model import Release

MODULE = "greeting.py"


@pytest.fixture
def said() -> list[str]:
    """What the store told of its progress."""
    return []


@pytest.fixture
def store(tmp_path: Path, said: list[str]) -> ReleaseStore:
    """A store with nothing in it."""
    return ReleaseStore(tmp_path / "state", said.append)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A program of somebody else's, with nothing to install."""
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / MODULE).write_text("print('one')")
    (directory / "requirements.txt").touch()
    return directory


def run(store: ReleaseStore, release: Release, *arguments: str) -> str:
    installed = store.locate(release)
    command = installed.resolve(["python", *(arguments or (MODULE,))])
    return subprocess.run(
        command, cwd=installed.directory, capture_output=True, text=True, check=True
    ).stdout.strip()


def release_of(source: Path | str, label: str = "v1") -> Release:
    return Release(label, source=str(source), command=f"python {MODULE}")


@pytest.mark.spec("C9")
async def test_a_directory_is_installed_as_it_was(store: ReleaseStore, app: Path) -> None:
    release = release_of(app)
    await store.install(release, [])
    (app / MODULE).write_text("print('two')")
    assert run(store, release) == "one"
    await store.install(release_of(app, "v2"), [])
    assert (run(store, release), run(store, release_of(app, "v2"))) == ("one", "two")


async def test_the_same_content_is_installed_once(
    store: ReleaseStore, app: Path, said: list[str]
) -> None:
    for label in ("v1", "v1", "v2"):
        await store.install(release_of(app, label), [])
    assert said == [f"installing v1 from {app}"]


async def test_an_interrupted_installation_is_repeated(store: ReleaseStore, app: Path) -> None:
    release = release_of(app)
    await store.install(release, [])
    directory = store.locate(release).directory
    assert directory is not None
    (directory.parent / "installed.json").unlink()
    (directory / MODULE).unlink()
    with pytest.raises(ReleaseFault, match="is not installed here"):
        store.locate(release)
    await store.install(release, [])
    assert run(store, release) == "one"


async def test_a_commit_is_installed_whatever_the_work_tree_holds(
    store: ReleaseStore, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_all(app, tag="v1")
    (app / MODULE).write_text("print('not committed')")
    monkeypatch.chdir(app)
    await store.install(release_of("git:v1"), [])
    assert run(store, release_of("git:v1")) == "one"
    with pytest.raises(ReleaseFault, match=r"git:v9 is not a commit of .*app"):
        await store.install(release_of("git:v9"), [])


async def test_a_release_is_what_its_source_held_when_it_was_resolved(
    store: ReleaseStore, app: Path
) -> None:
    one = await store.resolve(release_of(app))
    await store.install(one, [])
    (app / MODULE).write_text("print('two')")
    two = await store.resolve(release_of(app))
    await store.install(two, [])
    assert one.content != two.content
    await store.install(one, [])
    assert (run(store, one), run(store, two)) == ("one", "two")
    assert await store.resolve(one) == one


async def test_a_branch_that_moved_is_installed_from_its_old_commit(
    store: ReleaseStore, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_all(app, tag="v1")
    monkeypatch.chdir(app)
    one = await store.resolve(release_of("git:HEAD"))
    await store.install(one, [])
    (app / MODULE).write_text("print('two')")
    commit_all(app, tag="v2")
    monkeypatch.chdir(tmp_path)  # a rollback may be asked for from anywhere
    installed = store.locate(one).directory
    assert installed is not None
    shutil.rmtree(installed.parent)
    await store.install(one, [])
    assert run(store, one) == "one"


async def test_content_that_no_longer_exists_is_reported(store: ReleaseStore, app: Path) -> None:
    one = await store.resolve(release_of(app))
    (app / MODULE).write_text("print('two')")
    with pytest.raises(ReleaseFault, match=r"v1 \(directory .*no longer installed.*other content"):
        await store.install(one, [])
    (app / MODULE).write_text("print('one')")
    await store.install(one, [])
    assert run(store, one) == "one"


async def test_an_old_journals_release_is_never_resolved_again(
    store: ReleaseStore, app: Path
) -> None:
    await store.install(release_of(app), [])  # as a version that journalled no content did
    (app / MODULE).write_text("print('two')")
    await store.install(release_of(app), [])
    assert run(store, release_of(app)) == "one"


async def test_a_link_is_identified_by_its_target(store: ReleaseStore, app: Path) -> None:
    (app / "link").symlink_to("nowhere")
    one = await store.resolve(release_of(app))
    await store.install(one, [])
    (app / "link").unlink()
    (app / "link").symlink_to("elsewhere")
    (app / "run.sh").touch()
    two = await store.resolve(release_of(app))
    (app / "run.sh").chmod(0o755)
    contents = {one.content, two.content, (await store.resolve(release_of(app))).content}
    assert len(contents) == 3


async def test_releases_that_were_live_stay_installed(store: ReleaseStore, app: Path) -> None:
    live = await store.resolve(release_of(app))
    await store.install(live, [])
    for number in range(KEEP_LATEST + 2):
        (app / MODULE).write_text(f"print({number})")
        failed = await store.resolve(release_of(app, f"n{number}"))
        await store.install(failed, [], [live])
    assert run(store, live) == "one"


async def test_a_command_runs_where_it_was_given(store: ReleaseStore, app: Path) -> None:
    release = Release("v1", command="serve", directory=str(app))
    assert store.locate(release).directory == app
    shutil.rmtree(app)
    with pytest.raises(ReleaseFault, match=r"runs in .*app, which no longer exists"):
        store.locate(release)


async def test_a_command_without_a_source_uses_the_python_environment_that_is_active(
    store: ReleaseStore, tmp_path: Path
) -> None:
    installed = store.locate(Release("v1", command="serve"))
    (tmp_path / "bin").mkdir()
    for name in ("python", "uvicorn"):
        (tmp_path / "bin" / name).symlink_to(sys.executable)
    active = {"VIRTUAL_ENV": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:/usr/bin"}
    assert installed.resolve(["python", "x"], active) == ["python", "x"]
    assert installed.resolve(["uvicorn"], active) == ["uvicorn"]
    assert installed.resolve(["python"], {**active, "VIRTUAL_ENV": ""}) == [sys.executable]
    ours = {**active, "VIRTUAL_ENV": sys.prefix}
    assert installed.resolve(["python"], ours) == [sys.executable]
    assert installed.resolve(["./python"], active) == ["./python"]


async def test_a_source_has_its_own_python_environment_whichever_is_active(
    store: ReleaseStore, app: Path, tmp_path: Path
) -> None:
    release = release_of(app)
    await store.install(release, [])
    active = {"VIRTUAL_ENV": str(tmp_path), "PATH": "/usr/bin"}
    assert store.locate(release).resolve(["python"], active)[0].endswith("/venv/bin/python")


async def test_a_command_runs_in_a_directory_of_its_source(store: ReleaseStore, app: Path) -> None:
    (app / "inner").mkdir()
    (app / "inner" / MODULE).write_text("print('inner')")
    release = replace(release_of(app), cwd="inner")
    resolved = await store.resolve(release)
    await store.install(resolved, [])
    assert run(store, replace(resolved, cwd=None)) == "one"
    assert run(store, resolved) == "inner"


async def test_a_directory_that_a_commit_lacks_is_refused(store: ReleaseStore, app: Path) -> None:
    (app / "inner").mkdir()
    (app / "inner" / MODULE).write_text("print('inner')")
    commit_all(app, tag="v1")
    release = replace(release_of("git:v1"), directory=str(app))
    assert (await store.resolve(replace(release, cwd="inner"))).content
    assert (await store.resolve(replace(release, cwd="."))).content
    for cwd in ("nowhere", MODULE, "inner/../..", "/"):
        with pytest.raises(ReleaseFault, match="has no directory"):
            await store.resolve(replace(release, cwd=cwd))


async def test_a_commit_that_is_no_project_is_refused_before_it_is_installed(
    store: ReleaseStore, app: Path
) -> None:
    (app / "requirements.txt").unlink()
    commit_all(app, tag="v1")
    release = replace(release_of("git:v1"), directory=str(app))
    with pytest.raises(ReleaseFault, match="no pyproject"):
        await store.resolve(replace(release, command=None))
    assert (await store.resolve(release)).content


async def test_a_failed_installation_is_one_sentence_with_the_last_words(
    store: ReleaseStore, app: Path
) -> None:
    (app / "requirements.txt").write_text("./no-such-package")
    with pytest.raises(ReleaseFault, match=r"v1 from .*app cannot be installed: uv pip") as caught:
        await store.install(release_of(app), [])
    assert "no-such-package" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ReleaseFault, match="is not installed here"):
        store.locate(release_of(app))


async def test_an_invalid_source_is_named(store: ReleaseStore, tmp_path: Path) -> None:
    with pytest.raises(ReleaseFault, match=r"nowhere' is not a directory, a wheel"):
        await store.install(release_of(tmp_path / "nowhere"), [])


async def test_a_wheel_gets_an_environment_of_its_own(store: ReleaseStore, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    await store.install(release_of(wheel), [])
    assert run(store, release_of(wheel), "-c", "import tiny; print(tiny.NAME)") == "tiny"


async def test_what_a_slot_runs_is_never_removed(store: ReleaseStore, app: Path) -> None:
    used = release_of(app)
    await store.install(used, [])
    directory = store.locate(used).directory
    assert directory is not None
    for number in range(KEEP_LATEST + 2):
        (app / MODULE).write_text(f"print({number})")
        await store.install(release_of(app, f"n{number}"), [directory])
    assert run(store, used) == "one"
    with pytest.raises(ReleaseFault, match=r"n0 .* is not installed here"):
        store.locate(release_of(app, "n0"))


def commit_all(directory: Path, *, tag: str) -> None:
    """Make a git repository of `directory`, with one commit."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", tag], ["tag", tag]):
        subprocess.run([*git, *command], cwd=directory, check=True)


def make_wheel(directory: Path) -> Path:
    """Write the smallest wheel there is."""
    path = directory / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "NAME = 'tiny'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    return path
