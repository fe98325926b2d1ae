"""What the tests of this repository share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def trust_this_repository(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let git read this checkout also if another user owns it, as on some CI machines."""
    config = tmp_path_factory.mktemp("git") / "config"
    config.write_text(f"[include]\n\tpath = {Path.home()}/.gitconfig\n[safe]\n\tdirectory = *\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
