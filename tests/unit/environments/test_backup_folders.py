"""A restored backup is as closed to other users as what was backed up."""

import os
import subprocess
from pathlib import Path

from isshoni.environments.local.backup import write_backup


def test_folders_of_redis_are_restored_with_their_permissions(tmp_path: Path) -> None:
    state, target = tmp_path / "state", tmp_path / "restored"
    folder = state / "redis" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("file a.aof seq 1 type i\n")
    (folder / "a.aof").write_text("1")
    (state / "redis").chmod(0o700)
    target.mkdir()
    write_backup(state, tmp_path / "b.tar.gz", own_redis=True)
    before = os.umask(0o022)
    try:
        subprocess.run(["tar", "-xpzf", tmp_path / "b.tar.gz", "-C", target], check=True)
    finally:
        os.umask(before)
    assert (target / "redis").stat().st_mode & 0o777 == 0o700
    assert (target / "redis" / "appendonlydir" / "a.aof").read_text() == "1"
