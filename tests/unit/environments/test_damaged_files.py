"""Small state files that a power cut or an editor damaged: named, and not replaced."""

from collections.abc import Callable
from pathlib import Path

import pytest

from isshoni.environments.errors import ReleaseFault
from isshoni.environments.local.balancer_files import BalancerFiles
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.credentials import load_credentials
from isshoni.environments.local.doctor import check_chosen_ports, examine
from isshoni.environments.local.files import DamagedFile
from isshoni.environments.local.port_allocation import (
    PortBook,
    allocate_ports,
    forget_chosen,
    read_chosen,
)
from isshoni.environments.local.process_names import SlotProcess
from isshoni.environments.local.programs import ProgramFiles
from isshoni.environments.local.region import Region
from isshoni.environments.local.variables import VariableStore
from isshoni.rollout.model import Release

Read = Callable[[Path], object]


def place(directory: Path) -> LocalConfig:
    return LocalConfig(state_dir=directory, ports=Ports(**dict.fromkeys(Ports.model_fields, 0)))


def book(directory: Path) -> PortBook:
    return PortBook(place(directory), Ports(**dict.fromkeys(Ports.model_fields, 0)))


REFUSED: dict[str, list[Read]] = {
    "ports.json": [
        lambda directory: allocate_ports(place(directory)),
        read_chosen,
        lambda directory: forget_chosen(directory, ["public"]),
    ],
    "process-ports.json": [
        lambda directory: book(directory).of(SlotProcess("blue", 1)),
        lambda directory: book(directory).replace_taken_relay_ports(),
    ],
    "secrets.json": [load_credentials],
    "programs/blue.json": [lambda directory: ProgramFiles(directory).wanted("blue")],
    "redis/replication.conf": [lambda directory: Region("east", directory, ()).read_leader()],
}
NOT_UTF_8 = b'{"public\xff": 1}'
DAMAGES = {
    "empty": b"",
    "cut": b'{"public": 80',
    "not UTF-8": NOT_UTF_8,
    "of another kind": b'{"command": 1, "public": "x", "admin_token": 2}',
    "deep": b"[" * 100_000,
}


def damage(directory: Path, name: str, content: bytes) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize(
    ("name", "read"), [(name, read) for name, its in REFUSED.items() for read in its]
)
def test_a_damaged_file_is_named_with_what_to_do_and_stays_as_it_is(
    tmp_path: Path, name: str, read: Read, content: bytes
) -> None:
    path = damage(tmp_path, name, content)
    with pytest.raises(DamagedFile) as raised:
        read(tmp_path)
    assert str(raised.value).startswith(f"{path} is damaged (")
    assert raised.value.advice
    assert path.read_bytes() == content


def test_a_port_that_there_is_not_is_damage(tmp_path: Path) -> None:
    damage(tmp_path, "ports.json", b'{"public": 99999}')
    with pytest.raises(DamagedFile, match=r"ports\.json is damaged \(Expected `int` <= 65535"):
        allocate_ports(place(tmp_path))


def test_an_error_about_secrets_shows_none(tmp_path: Path) -> None:
    damage(tmp_path, "secrets.json", b'{"admin_token": "hidden\xff"}')
    with pytest.raises(DamagedFile) as raised:
        load_credentials(tmp_path)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("damaged", ["empty", "cut", "not UTF-8", "deep"])
def test_what_is_written_again_by_itself_counts_as_missing(tmp_path: Path, damaged: str) -> None:
    content = DAMAGES[damaged]
    damage(tmp_path, "observed/blue.json", content)
    assert ProgramFiles(tmp_path).observed("blue") is None
    config = place(tmp_path)
    files = BalancerFiles(config, allocate_ports(config))
    damage(files.directory, "routes/routes.json", content)
    assert files.read_weights() is None


def test_variables_that_cannot_be_read_are_a_refusal_of_their_release(tmp_path: Path) -> None:
    damage(tmp_path, "variables/a1.json", NOT_UTF_8)
    release = Release("v1", variables=("TOKEN",), variables_id="a1")
    with pytest.raises(ReleaseFault, match="values of TOKEN"):
        VariableStore(tmp_path, "secret").read(release)


async def test_doctor_reports_a_damaged_file_beside_its_other_checks(tmp_path: Path) -> None:
    path = damage(tmp_path, "ports.json", NOT_UTF_8)
    with pytest.raises(DamagedFile):
        await check_chosen_ports(place(tmp_path))
    found = {check.name: check for check in await examine(place(tmp_path))}
    assert not found["state files"].ok
    assert str(path) in found["state files"].detail
    assert "python" in found and "permissions" in found
