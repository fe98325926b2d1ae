"""Isshoni's backend, sound or faulty, as a process on a free port."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.valkey import find_free_port
from tests.support.waiting import wait_until

FAULTY = Path(__file__).parents[2] / "releases" / "bad.py"


@contextmanager
def start_backend(
    redis_url: str,
    log_file: Path,
    *,
    fault: str | None = None,
    every: int = 50,
    port: int | None = None,
) -> Iterator[int]:
    """Run a backend until the context ends, then kill it; gives its public port."""
    port = port or find_free_port()
    program = ["-m", "isshoni.backend"]
    if fault is not None:
        program = [str(FAULTY), "--fault", fault, "--every", str(every)]
    environment = os.environ | {
        "ISSHONI_VERSION": fault or "sound",
        "ISSHONI_PORT": str(port),
        "ISSHONI_ADMIN_PORT": str(find_free_port()),
        "ISSHONI_ADMIN_TOKEN": "admin-token-of-the-tests",
        "ISSHONI_TICKET_SECRET": "ticket-secret-of-the-tests-32-bytes-long",
        "REDIS_URL": redis_url,
    }
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


async def wait_until_ready(port: int, log_file: Path) -> None:
    """Wait until a backend can restore sessions."""

    def is_ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    await wait_until(is_ready, f"a ready backend; its log: {log_file}", within_seconds=20)
