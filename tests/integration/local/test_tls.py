"""TLS of the load balancer, and a certificate that is renewed under open WebSockets."""

import asyncio
import json
import shutil
import ssl
from collections.abc import Iterator

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.certificates import trusting, write_certificate
from tests.support.installation import Installation, installation
from tests.support.valkey import find_free_port


class Installed:
    """An installation with TLS."""

    def __init__(self, made: Installation) -> None:
        self.made = made
        self.port = find_free_port()
        self.certificate, self.key = write_certificate(made.directory)
        made.configure(
            tls_certificate="cert.pem", tls_key="key.pem", tls_port=self.port, stop_seconds=3.0
        )

    @property
    def page(self) -> str:
        return f"https://localhost:{self.port}/"

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}/ws/s"


@pytest.fixture
def installed() -> Iterator[Installed]:
    with installation() as made:
        yield Installed(made)


async def test_a_renewed_certificate_is_used_and_no_websocket_is_cut(installed: Installed) -> None:
    done = await asyncio.to_thread(installed.made.run, "up", "v1.0")
    assert f"with TLS at https://localhost:{installed.port}" in done.stderr
    old = trusting(installed.certificate)
    async with httpx.AsyncClient(verify=old) as http:
        assert (await http.get(installed.page)).status_code == 200
    origin = installed.page.rstrip("/")
    async with connect(installed.url, ssl=old, origin=origin) as socket:  # type: ignore[arg-type]
        await _ping(socket)
        shutil.copy(installed.key, installed.made.directory / "old-key.pem")
        write_certificate(installed.made.directory)
        renewed = await asyncio.to_thread(installed.made.run, "up")
        assert "restarting" not in renewed.stderr
        await _eventually_serves(installed.page, trusting(installed.certificate))
        await _ping(socket)
        shutil.copy(installed.made.directory / "old-key.pem", installed.key)
        refused = await asyncio.to_thread(installed.made.run, "up")
        assert (refused.returncode, "is not the key of" in refused.stderr) == (4, True)
        await _ping(socket)


async def _ping(socket: object) -> None:
    await (await socket.ping())  # type: ignore[attr-defined]


async def _eventually_serves(page: str, trusted: ssl.SSLContext) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with httpx.AsyncClient(verify=trusted) as http:
                    assert (await http.get(page)).status_code == 200
                    return
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


def test_a_port_that_is_taken_is_named_before_a_running_balancer_is_restarted() -> None:
    with installation() as made:
        made.up()
        before = made.pid("balancer")
        installed = Installed(made)
        taken = made.status()["address"].rpartition(":")[2]
        made.configure(tls_certificate="cert.pem", tls_key="key.pem", tls_port=int(taken))
        done = made.run("up")
        assert done.returncode == 4, json.dumps(done.stderr)
        assert f"port {taken} is in use" in done.stderr
        assert made.pid("balancer") == before
        assert installed.port
