"""The certificate of the load balancer: read, and refused if no client would accept it."""

import datetime
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from isshoni.environments.local.balancer_files import BalancerFiles, speaks_tls
from isshoni.environments.local.config import LocalConfig, Ports
from isshoni.environments.local.doctor import check_certificate
from isshoni.environments.local.tls import describe_certificate, read_certificate
from isshoni.rollout.errors import EnvironmentFault
from tests.support.certificates import write_certificate

NOW = datetime.datetime.now(datetime.UTC)


def configured(directory: Path) -> LocalConfig:
    return LocalConfig(
        state_dir=directory / "state",
        host="0.0.0.0",
        tls_certificate=directory / "cert.pem",
        tls_key=directory / "key.pem",
        tls_port=443,
    )


def test_a_certificate_is_read_with_its_names_and_end(tmp_path: Path) -> None:
    write_certificate(tmp_path, name="draw.example", days=30)
    certificate = read_certificate(configured(tmp_path), NOW)
    assert certificate is not None
    assert certificate.names == ("draw.example",)
    assert describe_certificate(certificate, 443, NOW) == "https://draw.example"
    assert describe_certificate(certificate, 8443, NOW) == "https://draw.example:8443"


def test_a_certificate_that_ends_soon_is_announced(tmp_path: Path) -> None:
    write_certificate(tmp_path, days=3)
    certificate = read_certificate(configured(tmp_path), NOW)
    assert certificate is not None
    assert "renew it" in describe_certificate(certificate, 443, NOW)


def test_without_tls_there_is_none() -> None:
    assert read_certificate(LocalConfig(), NOW) is None


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("cert.pem", b"nonsense", r"cert\.pem has no PEM certificate"),
        ("key.pem", b"nonsense", r"key\.pem has no PEM key without a passphrase"),
        ("cert.pem", None, r"cert\.pem cannot be read: No such file"),
        ("key.pem", None, r"key\.pem cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, file: str, content: bytes | None, fault: str
) -> None:
    write_certificate(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(EnvironmentFault, match=fault):
        read_certificate(configured(tmp_path), NOW)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    certificate, _ = write_certificate(tmp_path)
    before = certificate.read_bytes()
    write_certificate(tmp_path)
    certificate.write_bytes(before)
    with pytest.raises(EnvironmentFault, match=r"is not the key of the certificate"):
        read_certificate(configured(tmp_path), NOW)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    write_certificate(tmp_path, days=-1)
    with pytest.raises(EnvironmentFault, match="ended on .*: renew it"):  # noqa: RUF043
        read_certificate(configured(tmp_path), NOW)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"tls_certificate": "a"}, "tls_key is missing"),
        ({"tls_key": "a"}, "tls_certificate is missing"),
        ({"tls_key": "a", "tls_certificate": "b", "tls_port": 8080}, "8080 is one of `ports`"),
    ],
)
def test_half_of_the_settings_is_refused(settings: dict[str, str], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        LocalConfig.model_validate(settings)


def test_without_tls_only_loopback_is_served_beside_it(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    files = BalancerFiles(configured(tmp_path), Ports())
    files.write_bootstrap()
    document = json.loads(files.bootstrap_path.read_text())
    plain, tls = document["static_resources"]["listeners"]
    assert plain["address"]["socket_address"]["address"] == "127.0.0.1"
    assert tls["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 443}
    assert speaks_tls(files.listening)
    assert not speaks_tls(BalancerFiles(LocalConfig(), Ports()).listening)


def test_only_its_owner_can_read_the_copy_of_the_key(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    files = BalancerFiles(configured(tmp_path), Ports())
    certificate = read_certificate(configured(tmp_path), NOW)
    assert certificate is not None
    files.write_certificate(certificate)
    path = files.directory / "tls" / "certificate.json"
    assert path.stat().st_mode & 0o077 == 0
    before = path.stat().st_ino
    files.write_certificate(certificate)
    assert path.stat().st_ino == before, "an unchanged certificate is not written again"


@pytest.mark.parametrize(("days", "ok"), [(90, True), (3, False), (-1, False)])
async def test_doctor_says_when_it_must_be_renewed(tmp_path: Path, days: int, ok: bool) -> None:
    write_certificate(tmp_path, days=days)
    check = await check_certificate(configured(tmp_path))
    assert check.ok is ok
    assert "isshoni up" in (check.remedy or "")
