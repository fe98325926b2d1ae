"""A journal on a network filesystem is refused, unless that is configured."""

import os
from pathlib import Path

import psutil
import pytest

from isshoni.environments.local import filesystems
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.doctor import check_filesystem
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.filesystems import Mount, find_filesystem, is_network
from isshoni.rollout.errors import EnvironmentFault

MOUNTS = [
    Mount("/", "ext4"),
    Mount("/home", "autofs"),
    Mount("/home/ann", "nfs4"),
    Mount("/home/ann/disk", "xfs"),
    Mount("/net", "autofs"),
    Mount("/net", "nfs"),
]


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/var/lib/isshoni", "ext4"),
        ("/home/ann", "nfs4"),
        ("/home/ann/project/.isshoni", "nfs4"),
        ("/home/anna", "autofs"),
        ("/home/ann/disk/state", "xfs"),
        ("/net/x", "nfs"),
    ],
)
def test_the_nearest_mount_above_a_directory_counts(directory: str, kind: str) -> None:
    assert find_filesystem(Path(directory), MOUNTS) == kind


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    os.symlink(tmp_path / "far", tmp_path / "near")
    mounts = [Mount("/", "ext4"), Mount(os.path.realpath(tmp_path / "far"), "cifs")]
    assert find_filesystem(tmp_path / "near" / "state", mounts) == "cifs"


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("nfs", True),
        ("nfs4", True),
        ("cifs", True),
        ("smbfs", True),
        ("fuse.sshfs", True),
        ("fuse.rclone", True),
        ("fuse.gocryptfs", False),
        ("fuseblk", False),
        ("ext4", False),
        ("overlay", False),
        ("tmpfs", False),
        ("apfs", False),
        ("", False),
    ],
)
def test_network_filesystems_are_known(kind: str, network: bool) -> None:
    assert is_network(kind) is network


@pytest.fixture
def on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalConfig:
    """Return the configuration of a state directory that the table of mounts calls NFS."""

    def list_mounts(all: bool = False) -> list[Mount]:
        return [Mount("/", "ext4"), Mount(os.path.realpath(tmp_path), "nfs4")]

    monkeypatch.setattr(psutil, "disk_partitions", list_mounts)
    return LocalConfig(state_dir=tmp_path / "state")


async def test_the_environment_is_refused_with_how_to_allow_it(on_nfs: LocalConfig) -> None:
    with pytest.raises(EnvironmentFault, match=r"network filesystem \(nfs4\).*allow_network"):
        LocalEnvironment(on_nfs)
    assert not on_nfs.state_dir.exists()
    check = await check_filesystem(on_nfs)
    assert not check.ok and "nfs4" in check.detail and check.remedy
    allowed = on_nfs.model_copy(update={"allow_network_filesystem": True})
    LocalEnvironment(allowed).open_journal().close()
    assert (await check_filesystem(allowed)).ok


async def test_a_local_directory_is_fine(tmp_path: Path) -> None:
    assert filesystems.find_network_filesystem(tmp_path) is None
    assert (await check_filesystem(LocalConfig(state_dir=tmp_path))).ok
