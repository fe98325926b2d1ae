"""Other programs by the command only: their directory, variables and side programs; refusals."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.installation import Installation, installation

pytestmark = pytest.mark.e2e
APP = """
import os
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

NAMES = ("GREETING", "TOKEN", "FROM_FILE")

async def index(request):
    return JSONResponse({name: os.environ.get(name) for name in NAMES})

app = Starlette(routes=[Route("/health", index)])
"""
WORKER = "import time; print('working', flush=True); time.sleep(3600)"
BROKEN = "print('loading the model'); import no_such_module"
README_COMMAND = ("--command", "uvicorn app:app --port {port}", "--ready-path", "/health")
SECRET = "s3cret-of-this-test"


@pytest.fixture
def platform() -> Iterator[Installation]:
    with installation(bake_seconds=0.2, require_traffic=False, drain_timeout_seconds=2.0) as made:
        (made.directory / "app.py").write_text(APP)
        (made.directory / "broken.py").write_text(BROKEN)
        (made.directory / "worker.py").write_text(WORKER)
        (made.directory / ".env").write_text('# of the app\nexport FROM_FILE="two words"\n')
        yield made


def add_to_configuration(platform: Installation, text: str) -> None:
    file = platform.directory / "isshoni.toml"
    file.write_text(f"{text}\n{file.read_text()}")


def run(platform: Installation, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = platform.run(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def ask(platform: Installation) -> Any:
    return httpx.get(f"{platform.status()['address']}/health").json()


def find_secret(directory: Path) -> list[str]:
    """Return the files of the state directory that have the secret, and are not private."""
    holding = [path for path in directory.rglob("*") if path.is_file() and _has_secret(path)]
    names = {path.relative_to(directory).parts[0] for path in holding}
    return sorted(names - {"variables", "programs"})


def _has_secret(path: Path) -> bool:
    return SECRET.encode() in path.read_bytes()


@pytest.mark.timeout(300)
def test_another_program_is_deployed_with_what_it_needs(platform: Installation) -> None:
    add_to_configuration(platform, '[app.processes]\nworker = "python worker.py"\n')
    with_variables = ("--env", f"TOKEN={SECRET}", "--env", "GREETING=one", "--env-file", ".env")
    run(platform, "up", "v1", *README_COMMAND, *with_variables, "--dry-run")
    run(platform, "up", "v1", *README_COMMAND, *with_variables)
    run(platform, "deploy", "v2", *README_COMMAND, "--env", "GREETING=two", "--dry-run")
    first = {"GREETING": "one", "TOKEN": SECRET, "FROM_FILE": "two words"}
    assert ask(platform) == first
    assert "working" in run(platform, "logs", "blue-worker").stdout

    run(platform, "deploy", "v2", *README_COMMAND, "--env", "GREETING=two")
    assert ask(platform) == {"GREETING": "two", "TOKEN": None, "FROM_FILE": None}
    assert "working" in run(platform, "logs", "green-worker").stdout

    broken = ("deploy", "v3", "--command", "python broken.py", "--json")
    report = json.loads(run(platform, *broken, code=5).stdout)
    assert report["reason"].startswith("green died" if report["colour"] == "green" else "blue died")
    assert "No module named 'no_such_module'" in report["reason"]
    assert "loading the model" in report["log_lines"]
    assert any("ModuleNotFoundError" in line for line in report["log_lines"])

    run(platform, "rollback")
    assert ask(platform) == first
    for verb in ("status", "history"):
        assert SECRET not in run(platform, verb, "--json").stdout
    assert find_secret(platform.directory / "state") == []
    released = platform.status()["seen"]["colours"]
    assert sorted(name for c in released.values() for name in c["variables"]) == [
        "FROM_FILE",
        "GREETING",
        "TOKEN",
    ]


@pytest.mark.timeout(300)
def test_what_cannot_work_is_refused_before_a_rollout_begins(platform: Installation) -> None:
    run(platform, "up", "v1", *README_COMMAND)
    empty = platform.directory / "empty"
    empty.mkdir()
    script = platform.directory / "serve.sh"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    (platform.directory / "bad.env").write_text("A=1\nB\n")
    refused = {
        ("v2", "--command", "no-such-program {port}"): (7, "no-such-program is not in any"),
        ("v2", "--command", "./app.py {port}"): (7, "is not executable"),
        ("v2", "--command", "./empty {port}"): (7, "is a directory"),
        ("v2", "--command", "./serve.sh {port}"): (7, "/no/such/interpreter, does not exist"),
        ("v2", "--command", "uvicorn app:app --port {prot}"): (7, "{prot} is not one of {host}"),
        ("git:no-such-branch",): (7, "git:no-such-branch"),
        ("./empty",): (7, "no pyproject.toml"),
        ("v2", *README_COMMAND, "--cwd", "nowhere"): (2, "does not exist"),
        ("v2", *README_COMMAND, "--env-file", "nowhere.env"): (2, "cannot be read"),
        ("v2", *README_COMMAND, "--env-file", "bad.env"): (2, "line 2"),
        ("v2", *README_COMMAND, "--env", "NAME"): (2, "has no value"),
        ("v2", *README_COMMAND, "--env", "ISSHONI_PORT=1"): (7, "ISSHONI_PORT cannot be set"),
    }
    for arguments, (code, said) in refused.items():
        done = platform.run("deploy", *arguments)
        shown = " ".join((done.stdout + done.stderr).replace("│", " ").split())
        assert (done.returncode, said in shown) == (code, True), (arguments, shown)
    assert json.loads(run(platform, "history", "--json").stdout) == []


@pytest.mark.timeout(120)
def test_up_gives_up_a_program_that_cannot_start_and_quotes_its_log(platform: Installation) -> None:
    done = platform.run("up", "v1", "--command", "python broken.py", timeout=60)
    assert done.returncode == 4
    assert "No module named 'no_such_module'" in done.stderr
    assert "\n  loading the model" in done.stderr
