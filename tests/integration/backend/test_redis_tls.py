"""The store over TLS and as a named user, on a Redis 7.0 as Debian has it."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.ports import Appended, Published
from isshoni.backend.store.redis.link import InvalidRedisUrl
from isshoni.backend.store.redis.store import RedisStore
from tests.support.valkey import ValkeyServer, find_free_port, require_redis_server
from tests.support.waiting import wait_until

USER, PASSWORD = "isshoni", "p@ss/word"


class Authority:
    """A certificate authority of the tests, and what it has signed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Make a certificate for loopback; gives it and its key."""
        request, key = self._directory / f"{name}.csr", self._directory / f"{name}.key"
        certificate, extensions = self._directory / f"{name}.pem", self._directory / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        self._openssl(
            *("x509", "-req", "-in", str(request), "-days", "2", "-CAcreateserial"),
            *("-CA", str(self.certificate), "-CAkey", str(self._key)),
            *("-extfile", str(extensions), "-out", str(certificate)),
        )
        return certificate, key

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    require_redis_server()
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_port(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the TLS port of a Redis that asks its clients for a certificate."""
    certificate, key = authority.issue("server")
    port = find_free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(authority.certificate),
        "tls-auth-clients": "yes",
    }
    directory = tmp_path_factory.mktemp("redis") / "data"
    with ValkeyServer(directory, program=require_redis_server(), options=options) as server:
        # What docs/redis.md says that the user needs.
        rules = "~* &* +@read +@write +@scripting +@pubsub +@connection +time".split()
        assert server.command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", *rules) == b"+OK\r\n"
        yield port


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(url)
    await store.start()
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture
def url(tls_port: int, authority: Authority) -> str:
    certificate, key = authority.issue("client")
    return (
        f"rediss://{USER}:p%40ss%2Fword@127.0.0.1:{tls_port}/0"
        f"?ssl_ca_certs={authority.certificate}&ssl_certfile={certificate}&ssl_keyfile={key}"
    )


async def test_a_named_user_with_a_certificate_is_served(url: str, session_id: str) -> None:
    async with open_store(url) as store:
        heard: list[Published] = []
        await store.subscribe(session_id, heard.append)
        assert await store.append_chat(session_id, "c", 1, b"x" * 300_000) == Appended(1)
        await store.append_canvas(session_id, b"u")
        await wait_until(lambda: len(heard) == 2, "both publications")
        assert await store.probe() > 0
        assert session_id in await store.sample_sessions(10_000)
        assert len(await store.read_recent_chat(session_id, limit=1)) == 1


async def test_a_client_without_a_certificate_is_refused(
    url: str, authority: Authority, session_id: str
) -> None:
    bare = f"{url.partition('?')[0]}?ssl_ca_certs={authority.certificate}"
    async with open_store(bare) as store:
        with pytest.raises(StoreUnavailable, match="not connected"):
            await store.open_session(session_id)


async def test_a_server_of_another_authority_is_refused(
    url: str, tmp_path: Path, session_id: str
) -> None:
    other = Authority(tmp_path)
    foreign = f"{url.partition('?')[0]}?ssl_ca_certs={other.certificate}"
    async with open_store(foreign) as store:
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await store.open_session(session_id)


async def test_a_server_under_another_name_is_refused_unless_that_is_allowed(
    url: str, session_id: str
) -> None:
    renamed = url.replace("@127.0.0.1", "@localhost")
    async with open_store(renamed) as store:
        with pytest.raises(StoreUnavailable, match="Hostname mismatch"):
            await store.open_session(session_id)
    async with open_store(f"{renamed}&ssl_check_hostname=false") as store:
        assert (await store.open_session(session_id)).chat_seq == 0


async def test_a_wrong_password_is_refused_and_not_shown(url: str, session_id: str) -> None:
    async with open_store(url.replace("p%40ss%2Fword", "s3cret-wr0ng")) as store:
        with pytest.raises(StoreUnavailable, match="WRONGPASS") as caught:
            await store.open_session(session_id)
        assert "s3cret-wr0ng" not in str(caught.value)


def test_a_certificate_that_cannot_be_read_is_named(url: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(InvalidRedisUrl, match=r"ssl_certfile=.*missing\.pem cannot be used"):
        RedisStore(f"rediss://h?ssl_certfile={missing}")
