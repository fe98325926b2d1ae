"""How the key of data at rest gets to a slot: by a file or the caller's environment only."""

from pathlib import Path

import psutil
import pytest
from cryptography.fernet import Fernet

from isshoni.environments.local.credentials import read_encryption_keys
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import local_environment, pid_of

KEY, OTHER = (Fernet.generate_key().decode() for _ in range(2))


@pytest.mark.spec("A6", "C8")
async def test_a_slot_gets_the_key_of_the_file_and_shows_it_on_no_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the supervisor was started with must not matter.
    monkeypatch.setenv("SESSION_ENCRYPTION_KEY", OTHER)
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    async with local_environment() as made:
        config = made.config.model_copy(update={"session_encryption_key_file": file})
        environment = LocalEnvironment(config)
        await environment.up(Stable("blue", Release("v1")))
        process = psutil.Process(pid_of(environment, "blue"))
        assert process.environ()["SESSION_ENCRYPTION_KEY"] == KEY
        for running in (process, *psutil.process_iter()):
            try:
                assert not any(KEY in word for word in running.cmdline())
            except psutil.Error:
                continue
        status = await environment.backends.status("blue")
        assert status is not None and status.formats is not None
        assert status.formats.writes[-1].startswith("seal:fernet-")
        await environment.down()


def test_without_a_file_the_callers_environment_counts() -> None:
    assert read_encryption_keys(None, {"SESSION_ENCRYPTION_KEY": KEY}) == KEY
    assert read_encryption_keys(None, {}) == ""


def test_a_key_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="missing cannot be read"):
        read_encryption_keys(tmp_path / "missing", {"SESSION_ENCRYPTION_KEY": KEY})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(EnvironmentFault, match="empty is empty"):
        read_encryption_keys(tmp_path / "empty", {})
