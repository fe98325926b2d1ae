"""`isshoni notify`: what it prints, and that a dry run sends nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

from isshoni.errors import ExitCode

URL = "json://127.0.0.1:1/hook"


def notify(directory: Path, *words: str, config: str = "") -> subprocess.CompletedProcess[str]:
    file = directory / "isshoni.toml"
    file.write_text(config)
    return subprocess.run(
        [sys.executable, "-m", "isshoni.cli", "--config", str(file), "notify", *words],
        env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_missing_table_is_named_with_its_brackets(tmp_path: Path) -> None:
    done = notify(tmp_path)
    assert done.returncode == ExitCode.CONFIG
    assert "no `urls` under `[notifications]`" in done.stderr


def test_a_failure_is_printed_for_its_receiver_as_text_and_as_json(tmp_path: Path) -> None:
    config = f"[notifications]\nurls = ['{URL}']\ntimeout_seconds = 5\n"
    said = notify(tmp_path, config=config)
    assert said.returncode == ExitCode.ENVIRONMENT
    assert said.stdout.startswith("✗ ") and "127.0.0.1" in said.stdout
    done = notify(tmp_path, "--json", config=config)
    (result,) = json.loads(done.stdout)
    assert result["fault"] and "127.0.0.1" in result["to"]


def test_a_dry_run_lists_the_receivers_and_sends_nothing(tmp_path: Path) -> None:
    done = notify(tmp_path, "--dry-run", "--json", config=f"[notifications]\nurls = ['{URL}']\n")
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1" in json.loads(done.stdout)["to"][0]
