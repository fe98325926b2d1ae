"""A real nginx, with the configuration that the operator's guide shows."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.valkey import find_free_port

GUIDE = Path(__file__).parents[2] / "docs" / "operate.md"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_STARTUP_SECONDS = 20.0
_FRAME = """
{user}
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{site}
}}
"""


def documented_site(
    backend_port: int, port: int, certificate: tuple[Path, Path] | None = None
) -> str:
    """Return the guide's site for a backend, on a port of this machine; without a
    certificate, without TLS."""
    found = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found, f"{GUIDE} shows no nginx configuration"
    site = found[1]
    if certificate is None:
        site = re.sub(r" *ssl_certificate.*\n", "", site)
        site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    else:
        for file, documented in zip(certificate, ("pem", "key"), strict=True):
            site = site.replace(f"/etc/ssl/h.example.{documented};", f"{file};")
        site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    return site.replace("127.0.0.1:8080", f"127.0.0.1:{backend_port}")


@contextmanager
def nginx_in_front(
    backend_port: int,
    directory: Path,
    *,
    host: str = "$http_host",
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[int]:
    """Run nginx before a backend, with `host` as the Host header; yield its port.

    `certificate`: its file and that of its key; without it nginx speaks plain HTTP.
    """
    if NGINX is None:
        pytest.skip("NOT RUN: no nginx on the PATH (apt-get install nginx-light)")
    port = find_free_port()
    site = documented_site(backend_port, port, certificate)
    site = site.replace("Host $http_host", f"Host {host}")
    configuration = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(_FRAME.format(user=user, directory=directory, site=site))
    command = [
        NGINX,
        "-p",
        str(directory),
        "-c",
        str(configuration),
        "-e",
        f"{directory}/error.log",
    ]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTUP_SECONDS
    while True:
        assert process.poll() is None, "nginx ended; see what it printed"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.05)
        else:
            return
