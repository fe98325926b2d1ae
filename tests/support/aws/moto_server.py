"""A local server of the AWS API: moto, in a process of its own, on a free port."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REGION = "eu-west-1"
START_SECONDS = 60.0
_PROGRAM = "tests.support.aws.moto_program"
_MOTO = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_ACM_VALIDATION_WAIT": "0"}


def aws_environment(endpoint: str) -> dict[str, str]:
    """Give the environment in which boto3 and Terraform speak to `endpoint` only."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextlib.contextmanager
def moto_server(directory: Path) -> Iterator[str]:
    """Run the server; gives its address."""
    port = find_free_port()
    with (directory / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.aws.moto_program",
                "-H",
                "127.0.0.1",
                "-p",
                str(port),
            ],
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parents[3],
            env={**os.environ, **_MOTO},
        )
    try:
        _wait_until_it_listens(process, port, directory / "moto.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def find_free_port() -> int:
    """Find a port that nobody listens on just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"moto does not listen: {log.read_text()}")
