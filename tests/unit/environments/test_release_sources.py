"""What belongs to a release that is made of a directory."""

from pathlib import Path

from isshoni.environments.local.release_sources import copy_source, resolve_source


async def test_a_state_directory_in_the_source_is_neither_copied_nor_part_of_the_content(
    tmp_path: Path,
) -> None:
    app = tmp_path / "app"
    state = app / "state"
    state.mkdir(parents=True)
    (app / "app.py").write_text("print('one')")
    for name in ("secrets.json", "secrets.lock", "journal.sqlite"):
        (state / name).write_text("before")
    source = await resolve_source(str(app))
    (state / "journal.sqlite").write_text("a rollout began")
    await copy_source(source, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["app.py"]


async def test_a_directory_with_secrets_of_the_application_is_copied(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "config").mkdir(parents=True)
    (app / "config" / "secrets.json").write_text("{}")
    await copy_source(await resolve_source(str(app)), tmp_path / "copy")
    assert (tmp_path / "copy" / "config" / "secrets.json").exists()
