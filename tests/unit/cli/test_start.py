"""What each program loads before it begins: people wait for it, and pay its memory."""

import subprocess
import sys

import pytest

from isshoni.cli.verbs import VERBS, load_function

SLOW = {
    "apprise", "cryptography", "fastapi", "httpx", "jinja2", "jwt", "prometheus_client",
    "pycrdt", "redis", "uvicorn", "websockets",
}  # fmt: skip
"""Libraries that take tens of milliseconds each to load."""

_TELL = "; import sys; print(' '.join(sys.modules))"
HELP = "from isshoni.cli.main import app; app(['--help'], standalone_mode=False)"


@pytest.mark.parametrize(
    ("program", "without"),
    [
        (HELP, SLOW | {"pydantic", "isshoni.cli.deploy", "isshoni.engine", "isshoni.rollout"}),
        ("import isshoni.cli.main, isshoni.cli.status, isshoni.cli.deploy", SLOW),
        ("import isshoni.environments.local.supervisor", SLOW | {"asyncio", "pydantic", "typer"}),
        ("import isshoni.backend.__main__", {"apprise", "httpx", "jinja2", "redis", "rich"}),
        ("import isshoni.client", SLOW - {"pycrdt", "websockets"} | {"pydantic"}),
    ],
    ids=["--help", "status and deploy", "supervisor", "backend", "client"],
)
def test_a_program_loads_no_more_than_it_needs(program: str, without: set[str]) -> None:
    command = [sys.executable, "-c", program + _TELL]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert without.isdisjoint(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", VERBS)
def test_help_lists_each_subcommand_with_its_own_first_line(name: str) -> None:
    assert VERBS[name] == load_function(name).__doc__.splitlines()[0]
